"""What an operator sets for the loudspeakers."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from warnhub.port import ChannelSettings
from warnhub_loudspeaker.voice import VoiceSettings


class MqttSettings(ChannelSettings):
    """The broker, the topics, the recordings.

    ca         a file with the broker's certificate authority, where it is not a public one
    client_id  with one, the broker keeps acknowledgements while this process is away; no two processes may share it
    audio_dir  where recordings are kept. With `audio_url`, the address under which devices get them (`{audio_url}/{name}`);
               without both, devices are sent the words and speak by themselves
    repeat     how often everything is said here, and volume how loud, whatever the policy says; None leaves it to the policy
    interval   seconds between two times
    inflight   commands on their way to the broker at a time
    """

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65_535)
    username: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = False
    ca: Path | None = None
    prefix: str = Field(default="eb/v1", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", max_length=64)
    client_id: str = Field(default="", max_length=64)
    audio_dir: Path | None = None
    audio_url: str = Field(default="", pattern=r"^(https?://.+)?$", max_length=80)
    audio_rate: Literal[16_000, 24_000] = 16_000
    chime: bool = True
    voice: VoiceSettings = VoiceSettings()
    repeat: int | None = Field(default=None, ge=1, le=20)
    volume: int | None = Field(default=None, ge=0, le=100)
    interval: int = Field(default=5, ge=0, le=600)
    inflight: int = Field(default=500, ge=1, le=5_000)
    rate: float = 500.0
    parallel: int = 4

    @field_validator("audio_url")
    @classmethod
    def bare(cls, value: str) -> str:
        """Without a slash at its end."""
        return value.rstrip("/")
