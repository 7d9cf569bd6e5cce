"""What there is to say: one text to be made, and the agency's own words that go into it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from warnhub.alert import Alert, Level, Text
from warnhub.plan import facts
from warnhub.plan.actions import Frame, long_guide
from warnhub.plan.clean import clean_text, plain_brackets
from warnhub.roles import Role

OPENING = 34
SENTENCE = re.compile(r"[。！？!?；;\n]|\.(?=\s|$)")


class Purpose(StrEnum):
    """Why the message is sent.

    warn      something is coming
    clear     the agency lifted the warning
    withdraw  the desk withdrew it: it should not have gone out
    replace   a newer one takes its place, and this person is not in it
    """

    WARN = "warn"
    CLEAR = "clear"
    WITHDRAW = "withdraw"
    REPLACE = "replace"


ENDINGS = frozenset({Purpose.WITHDRAW, Purpose.REPLACE})
"""What the desk says of an earlier warning in its own words; none of the agency's."""


@dataclass(frozen=True, slots=True)
class Request:
    """One text to make."""

    alert: Alert
    channel: str
    role: Role
    language: str
    drill: bool
    agency: str
    confirm: bool
    purpose: Purpose
    again: int
    previous: Level | None

    @property
    def frame(self) -> Frame:
        """The language of our own words."""
        return facts.frame_of(self.language)

    @property
    def medium(self) -> str:
        """The channel, or `display` for a screen on a loudspeaker's line."""
        return "display" if self.role is Role.DISPLAY else self.channel


def sender_name(alert: Alert, language: str) -> str:
    """The agency as the alert names it. The national form has the agency in `sender` and a person in `sender_name`."""
    text = facts.text_in(alert, language) or alert.text(language)
    names = (alert.sender, text.sender_name) if facts.HAN.search(alert.sender) else (text.sender_name, alert.sender)
    return next((name for name in (plain_brackets(clean_text(one)) for one in names) if name), "")


def content(request: Request, text: Text | None) -> tuple[str, str, bool]:
    """The opening and the rest of what the agency says here, and whether it wrote this for the channel itself.

    Its own text for the channel is used for Chinese readers while the warning stands or is lifted by it.
    """
    if request.purpose in ENDINGS:
        return "", "", False
    own = own_words(request)
    if own:
        return (*split_opening(own), True)
    parts = [plain_brackets(clean_text(part)) for part in agency_parts(request, text) if part]
    joint = "" if request.frame == "zh" else " "
    return "", joint.join(ended(part, request.frame) for part in parts if part), False


def own_words(request: Request) -> str:
    """What the agency wrote for this channel, in Chinese; "" where it wrote nothing or the reader reads another language."""
    if request.frame != "zh":
        return ""
    own = next((spoken.text for spoken in request.alert.spoken if spoken.channel == request.medium), "")
    return ended(plain_brackets(clean_text(own)), request.frame) if own else ""


def agency_parts(request: Request, text: Text | None) -> list[str]:
    """Description, then instruction; our guide where there is none. The public's short messages have the description only."""
    if text is None:
        return []
    if request.purpose is Purpose.CLEAR:
        return [text.description or text.headline]
    if request.medium == "sms" and not request.role.responsible:
        return [text.description]
    short = facts.action_words(request.alert, text, request.role, request.frame)
    said = clean_text(text.instruction).strip(facts.STOPS)
    instruction = "" if said.casefold() == short.casefold() else text.instruction
    guide = "" if text.instruction or request.medium == "sms" else long_guide(request.alert.hazard, request.frame)
    return [text.description, instruction or guide]


def ended(text: str, frame: Frame) -> str:
    """`text` with a full stop, unless it ends a sentence already."""
    return text if not text or text[-1] in "。！？!?.…；;" else text.rstrip("，,、") + ("。" if frame == "zh" else ".")


def split_opening(text: str) -> tuple[str, str]:
    """The first sentence, if it is short enough that a link after it stands in the first short message; and the rest."""
    stop = SENTENCE.search(text)
    if stop and stop.end() <= OPENING:
        return text[: stop.end()], text[stop.end() :].lstrip()
    return "", text
