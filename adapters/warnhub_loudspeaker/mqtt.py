"""Village loudspeakers on an MQTT broker: each device its own command, and its own word of what became of it.

The broker's PUBACK means only that the broker has it; DELIVERED and READ are the device's own acknowledgements.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx

from warnhub.port import ChannelSettings, Outgoing, Reason, Receipt, SendError, Sent, Take
from warnhub_loudspeaker.audio import Clip, Studio
from warnhub_loudspeaker.line import Line
from warnhub_loudspeaker.settings import MqttSettings
from warnhub_loudspeaker.voice import Voice, VoiceError, choose_voice
from warnhub_loudspeaker.wire import ADDRESS, play, report, said, stop

log = logging.getLogger(__name__)


class Mqtt:
    """Loudspeakers by MQTT. `listen` owns the connection, so a process that sends must also listen.

    `voice` stands in for the one that the settings name; `now` is the clock.
    """

    Settings: ClassVar[type[ChannelSettings]] = MqttSettings
    most: ClassVar[int] = 500
    repeatable: ClassVar[bool] = True

    def __init__(
        self,
        settings: MqttSettings,
        http: httpx.AsyncClient,
        voice: Voice | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings
        self.now = now
        self.line = Line(settings)
        self.online: dict[str, bool] = {}
        self.studio: Studio | None = None
        if settings.audio_dir and settings.audio_url:
            chosen = voice or choose_voice(settings.voice)
            self.studio = Studio(chosen, settings.audio_dir, settings.audio_rate, settings.chime)

    @property
    def warning(self) -> str:
        """What the console shows beside this channel: that its voice is hard to understand, or ""."""
        return self.studio.voice.warning if self.studio else ""

    async def send(self, message: Outgoing) -> Receipt:
        """Make the recording, if there is none, and publish the command."""
        if not ADDRESS.fullmatch(message.address):
            raise SendError(Reason.RECIPIENT, "address", "an address of a loudspeaker is area/device")
        clip = await self.recorded(message.text)
        now = self.now()
        if message.expires <= now:
            raise SendError(Reason.REJECTED, "expired", "it expired before it was sent")
        url = f"{self.settings.audio_url}/{clip.name}" if clip else ""
        command = play(self.shaped(message), now, url, clip, self.settings.interval)
        await self.line.publish(self.topic(message.address, "cmd"), command)
        return Receipt(message.reference)

    async def send_many(self, messages: Sequence[Outgoing]) -> Sequence[Receipt | SendError]:
        """All at once, as many in flight as the settings say."""
        return await asyncio.gather(*(self.outcome(message) for message in messages))

    async def outcome(self, message: Outgoing) -> Receipt | SendError:
        """What became of one."""
        try:
            return await self.send(message)
        except SendError as error:
            return error

    async def stop(self, sent: Mapping[str, Sent]) -> Mapping[str, SendError]:
        """Tell each device to be silent about it; one that is off line is told by the broker when it comes back, if it can."""

        async def told(reference: str, address: str) -> SendError | None:
            try:
                await self.line.publish(self.topic(address, "cmd"), stop(reference, self.now()))
            except SendError as error:
                return error
            return None

        known = {reference: one.address for reference, one in sent.items() if ADDRESS.fullmatch(one.address)}
        errors = await asyncio.gather(*(told(*item) for item in known.items()))
        return {reference: error for reference, error in zip(known, errors, strict=True) if error}

    async def listen(self, take: Take) -> None:
        """Keep the connection; give acknowledgements to `take`, and note who is on line."""
        topics = [self.topic("+/+", kind) for kind in ("ack", "status")]
        async with aclosing(self.line.heard(topics)) as groups:
            async for messages in groups:
                told = [one for message in messages if (one := said(message.topic.value, message.payload))]
                self.note(told)
                reports = [found for one in told if one["kind"] == "ack" and (found := report(one))]
                if reports:
                    await take(reports)

    def note(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Who is on line by these messages."""
        for one in told:
            if one["kind"] == "status" and isinstance(one.get("online"), bool):
                self.online[one["address"]] = one["online"]

    def devices(self) -> Mapping[str, bool]:
        """By each device's own retained word, and its last will."""
        return self.online

    async def recorded(self, text: str) -> Clip | None:
        """The recording; None if there is none to be had, for a device can still say the words by itself."""
        if not self.studio:
            return None
        try:
            return await self.studio.clip(text)
        except (VoiceError, OSError) as error:
            log.warning("no recording, the devices are sent the words: %s", error)
            return None

    async def speech(self, text: str) -> Path | None:
        """The recording of `text`, to be listened to at the desk."""
        clip = await self.recorded(text)
        return clip.path if clip else None

    def shaped(self, message: Outgoing) -> Outgoing:
        """With the repeat and the volume of this place, where it has its own."""
        volume = message.volume if self.settings.volume is None else self.settings.volume
        return replace(message, repeat=self.settings.repeat or message.repeat, volume=volume)

    def topic(self, address: str, kind: str) -> str:
        """Where a device is spoken to, or heard."""
        return f"{self.settings.prefix}/{address}/{kind}"
