"""The words of a warning, for one channel, role and language: made from the alert, the county's frame and the templates.

What a person must know stands first: in the first short message are the event, what to do and, in Chinese, the place of the
link. (English under a Chinese signature has 67 letters there; its link follows at once, maybe in the second.) An agency's
own text for a channel is used as it is, inside our frame. Every text of a drill begins and ends by saying so.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from warnhub.alert import Alert, Kind, Level, Status
from warnhub.plan import facts
from warnhub.plan.actions import Frame
from warnhub.plan.clean import clean_text, clip_text, plain_brackets
from warnhub.plan.content import ENDINGS, SENTENCE, Purpose, Request, content, sender_name
from warnhub.plan.segments import count_segments
from warnhub.plan.speech import spoken_text
from warnhub.plan.templates import WordingError, render_block, template_names
from warnhub.port import CODE, LINK, Words
from warnhub.roles import Role

log = logging.getLogger(__name__)

LONGEST = {"wechat": 600, "push": 200, "loudspeaker": 500, "voice": 300, "display": 120}
SPOKEN = frozenset({"loudspeaker", "voice"})
THING = 20
TITLE = 40
AGENCY = 30
BODY = 5_000
CLAUSE = re.compile(r"[，、：,:]|\s")
MARKS: dict[Frame, tuple[str, str]] = {"zh": ("【演练】", "以上为演练。"), "en": ("[DRILL] ", " This was a drill.")}
SPOKEN_MARKS: dict[Frame, tuple[str, str]] = {
    "zh": ("演练，演练，这是一次演练。", "演练结束，以上为演练。"),
    "en": ("This is a drill, a drill. ", " End of the drill. This was a drill."),
}
DRILL_NAMES = {"zh": "演练", "en": "Drill"}
TAILS: dict[Purpose, dict[Frame, tuple[str, str]]] = {
    Purpose.CLEAR: {"zh": ("预警已解除", "解除"), "en": ("All clear", " lifted")},
    Purpose.WITHDRAW: {"zh": ("请勿按原预警行动", "撤销"), "en": ("Do not act on it", " withdrawn")},
    Purpose.REPLACE: {"zh": ("请以最新预警为准", "已更新"), "en": ("See the latest", " replaced")},
}
"""The action of an ended warning, and what its headline ends with: it asks for nothing it once asked for."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a county words its messages.

    signature  the bare SMS signature, without 【】; "" for none
    zone       IANA; times are told in it
    folder     the county's own templates, laid over ours
    segments   short messages one text may be at most
    link       characters a link is counted as
    """

    signature: str
    zone: str = "Asia/Shanghai"
    folder: Path | None = None
    segments: int = 4
    link: int = 40


def make_words(
    wording: Wording,
    alert: Alert,
    *,
    channel: str,
    role: Role,
    language: str = "zh-CN",
    drill: bool = False,
    agency: str = "",
    confirm: bool = False,
    purpose: Purpose | None = None,
    again: int = 1,
    previous: Level | None = None,
) -> Words:
    """What `role` gets on `channel` in `language` (BCP 47).

    `agency` is the name shown, else the alert's own; `confirm` asks for a confirmation and marks the place of the link, for
    roles that answer for others only; `again` is the round, told from the second on; `previous` the level before this one. An
    alert that is not actual is worded as a drill, whatever `drill` says. If the county's own template fails, ours is used and
    the failure logged: `check_words` finds it beforehand.
    """
    told = facts.told_language(alert, language)
    purpose = purpose or (Purpose.CLEAR if alert.kind is Kind.CANCEL else Purpose.WARN)
    request = Request(
        alert=alert,
        channel=channel,
        role=role,
        language=told,
        drill=drill or alert.status is not Status.ACTUAL,
        agency=clip_text(plain_brackets(clean_text(agency)) or sender_name(alert, told), AGENCY),
        confirm=confirm and role.responsible and purpose is Purpose.WARN,
        purpose=purpose,
        again=again,
        previous=previous,
    )
    try:
        return word_request(wording, request, wording.folder)
    except WordingError as error:
        if wording.folder is None:
            raise
        log.error("the county's template failed, ours is used: %s", error)
        return word_request(wording, request, None)


def word_request(wording: Wording, request: Request, folder: Path | None) -> Words:
    """The words by the templates of one folder. Raises `WordingError`."""
    values = gather(wording, request)
    names = template_names(request.language, request.frame, request.medium)
    body = values.pop("body")

    def render(part: str) -> str:
        made = render_block(folder, names, "text", values | {"body": part})
        if not made:
            raise WordingError(f"{names[-1]}: the block text is missing or empty")
        return finish(wording, request, made)

    return Words(
        text=render(fit_body(body, render, room_of(wording, request))),
        title=begin_title(request, render_block(folder, names, "title", values | {"body": ""}) or values["headline"]),
        fields=name_fields(wording, request, values),
        language=request.language,
    )


def gather(wording: Wording, request: Request) -> dict[str, Any]:
    """Every name a template may use. All are plain text, numbers or truth values."""
    alert, frame, zone = request.alert, request.frame, ZoneInfo(wording.zone)
    text = facts.text_in(alert, request.language)
    hazard, level = facts.hazard_words(alert, text, frame), facts.level_name(alert.level, frame)
    event = facts.event_words(hazard, level, frame)
    action, tail = TAILS[request.purpose][frame] if request.purpose in TAILS else ("", "")
    opening, body, own = content(request, text)
    return {
        "signature": wording.signature,
        "hazard": hazard,
        "level": level,
        "event": event,
        "headline": f"{event}{tail}",
        "change": facts.change_words(alert.level, request.previous, alert.kind is Kind.UPDATE, frame),
        "action": action or facts.action_words(alert, text, request.role, frame),
        "agency": request.agency,
        "time": facts.short_time(alert.sent, zone, frame),
        "expires": facts.short_time(alert.expires, zone, frame),
        "area": facts.area_words(alert, frame, facts.AREA[frame]),
        "told": request.purpose in ENDINGS or request.agency in body[:60],
        "purpose": request.purpose.value,
        "again": request.again,
        "drill": request.drill,
        "confirm": request.confirm,
        "link": LINK,
        "code": CODE,
        "own": own,
        "opening": opening,
        "body": body,
    }


def finish(wording: Wording, request: Request, made: str) -> str:
    """A rendered text as the channel takes it: spoken for loudspeakers; a drill's marks are set here, beyond any template."""
    start, end = (SPOKEN_MARKS if request.medium in SPOKEN else MARKS)[request.frame] if request.drill else ("", "")
    parted = f"{made} " if made.endswith((LINK, CODE)) and end else made  # right after an address it would be a part of it
    whole = f"{start}{parted}{end}"
    return spoken_text(whole, wording.zone, request.language) if request.medium in SPOKEN else whole


def begin_title(request: Request, title: str) -> str:
    """The title, marked in a drill."""
    return clip_text(f"{MARKS[request.frame][0] if request.drill else ''}{title}", TITLE)


def room_of(wording: Wording, request: Request) -> Callable[[str], bool]:
    """Whether a text fits its channel."""
    if request.medium == "sms":
        return lambda text: (
            count_segments(text.replace(LINK, "x" * wording.link).replace(CODE, "0000")).count <= wording.segments
        )
    most = LONGEST.get(request.medium, 600)
    return lambda text: len(text) <= most


def fit_body(body: str, render: Callable[[str], str], fits: Callable[[str], bool]) -> str:
    """As much of `body` as the message has room for, cut after a sentence (else a clause) with … in place of the rest."""
    if len(body) <= BODY and fits(render(body)):
        return body
    dots = "…" if not body.isascii() else "..."
    low, high = 0, min(len(body), BODY)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(render(body[:middle] + dots)) else (low, middle - 1)
    kept = body[:low]
    stops = [stop.end() for stop in SENTENCE.finditer(kept)] or [stop.start() for stop in CLAUSE.finditer(kept)]
    return (kept[: stops[-1]] if stops else kept) + dots if low else ""


def name_fields(wording: Wording, request: Request, values: Mapping[str, Any]) -> dict[str, str]:
    """The fields of `port.Words`, each at most 20 characters but the times, as WeChat's typed keys take them."""
    frame, alert, zone = request.frame, request.alert, ZoneInfo(wording.zone)
    mark = DRILL_NAMES[frame] if request.drill else ""
    start = MARKS[frame][0] if request.drill else ""
    return {
        "hazard": clip_text(f"{mark}{values['hazard']}", THING),
        "level": values["level"],
        "agency": clip_text(values["agency"], THING),
        "time": facts.long_time(alert.sent, zone),
        "area": facts.area_words(alert, frame, THING),
        "action": clip_text(f"{start}{values['action']}", THING),
        "headline": clip_text(f"{start}{short_headline(request, values)}", THING),
        "expires": facts.long_time(alert.expires, zone),
        "drill": mark,
    }


def short_headline(request: Request, values: Mapping[str, Any]) -> str:
    """The headline with the agency, or without it where both do not fit in a typed key."""
    room = THING - (len(MARKS[request.frame][0]) if request.drill else 0)
    full = f"{values['agency']}发布{values['headline']}"
    if request.frame == "zh" and request.purpose is Purpose.WARN and len(full) <= room:
        return full
    headline = str(values["headline"])
    return headline if len(headline) <= room else headline.replace(" warning", "")
