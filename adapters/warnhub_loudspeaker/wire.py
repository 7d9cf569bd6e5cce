"""The loudspeaker convention: commands and acknowledgements as JSON over MQTT, after `docs/loudspeakers.md`.

    {prefix}/{area}/{device}/cmd       play, stop          QoS 1, never retained: a retained play would play at each reconnect
    {prefix}/{area}/{device}/ack       what became of it   QoS 1
    {prefix}/{area}/{device}/status    {"online": …}       QoS 1, retained, and the device's last will

A device knows a repeat by the command's `id` and plays it once; drops what has `expires` behind it; lets a lower `priority`
number interrupt a higher one; after a `stop`, never plays the command it names, even if that arrives later.
"""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from warnhub.port import Outgoing, Reason, Report, State, cleaned
from warnhub_loudspeaker.audio import Clip
from warnhub_loudspeaker.speech import fitted, spoken

MOST = 500  # bytes of a play command, so that it passes over any line that is left
ADDRESS = re.compile(r"(\d{6,15})/([A-Za-z0-9][A-Za-z0-9_-]{0,63})")
REFERENCE = re.compile(r"[0-9a-z-]{1,40}")
ZONE = timezone(timedelta(hours=8))
STOP = "stop:"  # before the reference, in the id of a stop: no reference has a colon

# What a device says → what is known. A device's word is evidence that it played, never that a person heard.
STATES: dict[str, tuple[State, Reason | None, str]] = {
    "received": (State.DELIVERED, None, "设备已收到 received"),
    "playing": (State.DELIVERED, None, "正在播放 playing"),
    "stopped": (State.DELIVERED, None, "播放被中止 stopped before its end"),
    "finished": (State.READ, None, "播放完毕 played"),
    "rejected": (State.FAILED, Reason.REJECTED, "设备拒绝 refused by the device"),
    "failed": (State.FAILED, Reason.REJECTED, "设备故障 the device failed"),
    "expired": (State.FAILED, Reason.REJECTED, "到达时已过期 expired when it arrived"),
}


def play(message: Outgoing, issued: datetime, url: str, clip: Clip | None, interval: float) -> bytes:
    """The play command, at most `MOST` bytes. With `clip` its source is `url`; the words are there too, as far as they fit."""
    source: dict[str, Any] = {"type": "tts", "text": "", "lang": message.words.language}
    if clip:
        source |= {"type": "url", "url": url, "sha256": clip.sha256, "codec": "wav", "seconds": round(clip.seconds, 1)}
    command: dict[str, Any] = {
        "id": message.reference,
        "cmd": "play",
        "priority": message.lane,
        "issued": stamp(issued),
        "expires": stamp(message.expires),
        "source": source,
        "volume": message.volume,
        "repeat": message.repeat,
        "interval_s": interval,
    }
    if message.drill:
        command["drill"] = True
    source["text"] = shortened(message, MOST - len(packed(command)))
    return packed(command)


def stop(reference: str, issued: datetime) -> bytes:
    """The stop command for what was sent as `reference`."""
    return packed({"id": STOP + reference, "cmd": "stop", "ref": reference, "issued": stamp(issued)})


def shortened(message: Outgoing, room: int) -> str:
    """The words in `room` bytes: all of them, or the headline and what to do, or as much of that as fits."""
    words = plain(spoken(message.text))
    if len(words.encode()) <= room:
        return words
    fields = message.words.fields
    drill = fields.get("drill") or ("这是演习" if message.drill else "")
    short = "。".join(part for part in (drill, fields.get("headline"), fields.get("action")) if part)
    return fitted(plain(spoken(short or words)), room)


def plain(text: str) -> str:
    """Without the characters that JSON would write as two."""
    return text.replace("\n", " ").replace('"', "”").replace("\\", "")


def packed(command: dict[str, Any]) -> bytes:
    """JSON without spaces, hanzi as they are."""
    return json.dumps(command, ensure_ascii=False, separators=(",", ":")).encode()


def stamp(moment: datetime) -> str:
    """ISO 8601 to the second, in Beijing time."""
    return moment.astimezone(ZONE).isoformat(timespec="seconds")


def said(topic: str, payload: object) -> dict[str, Any] | None:
    """The JSON object in a device's message with `address` and `kind` of its topic; None if it is not one."""
    parts = topic.split("/")
    address = "/".join(parts[-3:-1])
    if not isinstance(payload, bytes | bytearray) or len(payload) > 4_096 or not ADDRESS.fullmatch(address):
        return None
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return told | {"address": address, "kind": parts[-1]} if isinstance(told, dict) else None


def report(told: dict[str, Any]) -> Report | None:
    """An acknowledgement as the core knows it; None if it is of a stop, of another's command, or in another's name."""
    reference, state, address = told.get("id"), told.get("state"), told["address"]
    if not isinstance(reference, str) or not REFERENCE.fullmatch(reference) or state not in STATES:
        return None
    if told.get("device", address.split("/")[1]) != address.split("/")[1]:
        return None
    meaning, reason, words = STATES[state]
    detail = cleaned(f"{words} {told.get('msg') or ''}")
    code = cleaned(str(told.get("code", state)))
    key = f"{reference}/{address}/{state}"
    return Report(key, meaning, reference, address=address, reason=reason, code=code, detail=detail, at=moment(told.get("ts")))


def moment(text: object) -> datetime | None:
    """An aware time in UTC; None if the device gave none that can be used."""
    try:
        read = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo else None
