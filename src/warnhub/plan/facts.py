"""What an alert says, in the short forms messages are made of: event, places, times, action, in one language."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from warnhub.alert import Alert, Level, Text
from warnhub.hazards import hazard_name, known
from warnhub.plan.actions import Frame, short_action
from warnhub.plan.clean import clean_text, clip_text, plain_brackets
from warnhub.roles import Role

LEVELS = {
    Level.RED: ("红色", "Red"),
    Level.ORANGE: ("橙色", "Orange"),
    Level.YELLOW: ("黄色", "Yellow"),
    Level.BLUE: ("蓝色", "Blue"),
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SHORT = {"zh": 14, "en": 44}
EVENT = {"zh": 12, "en": 40}
AREA = {"zh": 30, "en": 60}
COLOUR = re.compile(r"(?:特别重大|重大|较大|一般)?[红橙黄蓝]色|预警信号?|\b(?:red|orange|yellow|blue|warning)\b", re.IGNORECASE)
PLACES = re.compile(r"[、;；\n]|(?<=[\u4e00-\u9fff])[,，]")
HAN = re.compile(r"[\u4e00-\u9fff]")
STOPS = "。．.!！ "


def frame_of(language: str) -> Frame:
    """The language of our own words around the agency's: Chinese for Chinese, English for any other."""
    return "zh" if language.lower().startswith("zh") else "en"


def text_in(alert: Alert, language: str) -> Text | None:
    """The agency's words in that language; None where it has none."""
    wanted = language.lower()
    primary = wanted.split("-")[0]
    spoken = [text for text in alert.texts if text.language.lower().split("-")[0] == primary]
    return next((text for text in spoken if text.language.lower() == wanted), spoken[0] if spoken else None)


def told_language(alert: Alert, language: str) -> str:
    """The language a message can be made in: Chinese and English always, others where the agency wrote in them."""
    primary = language.lower().split("-")[0]
    return language if primary in {"zh", "en"} or text_in(alert, language) else "zh-CN"


def level_name(level: Level, frame: Frame) -> str:
    """红色, Red."""
    return LEVELS[level][0 if frame == "zh" else 1]


def hazard_words(alert: Alert, text: Text | None, frame: Frame) -> str:
    """The hazard's name; the agency's own, where its code says no more than "other"."""
    own = COLOUR.sub("", clean_text(text.event)).strip(" []()（）") if text else ""
    vague = not known(alert.hazard) or alert.hazard.endswith(("99", "00"))
    if own and vague:
        return clip_text(plain_brackets(own), EVENT[frame])
    name = hazard_name(alert.hazard, frame)
    return name if name.endswith("突发事件") else name.removesuffix("事件")


def event_words(hazard: str, level: str, frame: Frame) -> str:
    """暴雨红色预警, Red rainstorm warning."""
    if frame == "zh":
        return f"{hazard}{level}预警"
    return f"{level} {lower_first(hazard)} warning"


def lower_first(text: str) -> str:
    """`text` as it stands inside a sentence: its first letter small, if that is its only capital."""
    return text[:1].lower() + text[1:] if text[1:] == text[1:].lower() else text


def change_words(level: Level, previous: Level | None, update: bool, frame: Frame) -> str:
    """How this warning stands to the one before: raised, lowered, renewed, or nothing."""
    if previous is None or previous is level:
        return ("（更新）" if frame == "zh" else " (updated)") if update else ""
    raised = level.lane < previous.lane
    if frame == "zh":
        return f"（由{level_name(previous, frame)}{'升级' if raised else '降级'}）"
    return f" ({'raised' if raised else 'lowered'} from {level_name(previous, frame).lower()})"


def action_words(alert: Alert, text: Text | None, role: Role, frame: Frame) -> str:
    """What to do: the agency's instruction where it is one short sentence, else our table."""
    own = clean_text(text.instruction).strip(STOPS) if text else ""
    if 0 < len(own) <= SHORT[frame] and not re.search(r"[。！？\n]|[.!?]\s", own):
        return plain_brackets(own if frame == "zh" else lower_first(own))
    return short_action(alert.hazard, alert.level, role, frame)


def area_words(alert: Alert, frame: Frame, most: int) -> str:
    """The places by name, each once, in at most `most` characters: as many as fit, and how many there are."""
    found = (place.strip() for area in alert.areas for place in PLACES.split(plain_brackets(clean_text(area.name))))
    names = list(dict.fromkeys(name for name in found if name))
    comma = "、" if frame == "zh" else ", "
    whole = comma.join(names)
    if len(whole) <= most:
        return whole
    for count in range(len(names) - 1, 0, -1):
        tail = f"等{len(names)}地" if frame == "zh" else f" and {len(names) - count} more"
        if len(short := comma.join(names[:count]) + tail) <= most:
            return short
    return clip_text(whole, most)


def short_time(moment: datetime, zone: ZoneInfo, frame: Frame) -> str:
    """6月12日16:20, or 12 Jun 16:20, in local time."""
    local = moment.astimezone(zone)
    if frame == "zh":
        return f"{local.month}月{local.day}日{local:%H:%M}"
    return f"{local.day} {MONTHS[local.month - 1]} {local:%H:%M}"


def long_time(moment: datetime, zone: ZoneInfo) -> str:
    """2026年6月12日 16:20: the form WeChat's time fields take, in local time."""
    local = moment.astimezone(zone)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"
