"""What a Twilio account that calls must be told."""

from typing import Literal

from pydantic import Field, SecretStr

from warnhub.port import ChannelSettings


class VoiceSettings(ChannelSettings):
    """`caller` is our number. `trunk` is how many calls may be in the air at once, of all workers together; `ring` seconds
    until nobody answers, `heard` seconds after which a call counts as listened to, `longest` seconds of one call, `wait` for
    a key.

    `machines`: whether Twilio listens for an answering machine, beside the call: who answers hears the warning at once.
    `speech`: `say`, Twilio's voice; `county`, the recording of the county's own voice, and Twilio's where there is none.
    """

    base_url: str = "https://api.twilio.com"
    account_sid: str = Field(min_length=1)
    auth_token: SecretStr
    caller: str = Field(pattern=r"^\+[0-9]{6,15}$")
    voice: str = "Polly.Zhiyu"
    rate: float = 1.0
    parallel: int = 10
    trunk: int = Field(default=10, ge=1, le=10_000)
    ring: int = Field(default=30, ge=5, le=600)
    heard: int = Field(default=20, ge=1, le=600)
    longest: int = Field(default=180, ge=30, le=3_600)
    wait: int = Field(default=8, ge=2, le=60)
    machines: bool = True
    speech: Literal["say", "county"] = "say"
