"""A county's templates tried on a made-up warning before they are trusted with a real one."""

from datetime import UTC, datetime
from itertools import product

from warnhub.alert import Alert, Area, Code, Kind, Level, Original, Status, Text
from warnhub.plan.content import Purpose, Request
from warnhub.plan.facts import frame_of
from warnhub.plan.policy import ChannelName
from warnhub.plan.templates import WordingError
from warnhub.plan.wording import Wording, word_request
from warnhub.port import LINK, Words
from warnhub.roles import Role

TRIED = (Role.RESIDENT, Role.VILLAGE_HEAD, Role.DISPLAY)
LANGUAGES = ("zh-CN", "en")


def trial_alert() -> Alert:
    """A red rainstorm in a county that does not exist."""
    chinese = Text(
        event="暴雨",
        headline="云岭县气象台发布暴雨红色预警",
        description="预计未来3小时,古镇镇、新桥乡将出现100毫米以上降雨。",
        instruction="危险地带人员立即转移。其他人员不要外出。",
        sender_name="云岭县气象台",
    )
    english = Text(language="en", description="More than 100 mm of rain within 3 hours.", instruction="Stay in.")
    return Alert(
        identifier="trial",
        sender="trial",
        sent=datetime(2026, 6, 12, 8, 20, tzinfo=UTC),
        status=Status.ACTUAL,
        kind=Kind.ALERT,
        hazard="11B03",
        level=Level.RED,
        effective=datetime(2026, 6, 12, 8, 20, tzinfo=UTC),
        expires=datetime(2026, 6, 12, 11, 20, tzinfo=UTC),
        areas=[Area(name="古镇镇、新桥乡", codes=[Code(value="990123100000")])],
        texts=[chinese, english],
        original=Original(form="native"),
    )


def try_words(wording: Wording, channel: str, role: Role, language: str, purpose: Purpose, drill: bool) -> Words:
    """The trial alert in these words, by the county's templates where it has any. Raises `WordingError`."""
    alert = trial_alert()
    request = Request(
        alert=alert,
        channel=channel,
        role=role,
        language=language,
        drill=drill,
        agency="云岭县气象台",
        confirm=role.responsible and purpose is Purpose.WARN,
        purpose=purpose,
        again=1,
        previous=None,
    )
    return word_request(wording, request, wording.folder)


def check_words(wording: Wording) -> None:
    """Try every template in every case. Raises `WordingError` that names the first that fails, is empty or loses the link."""
    for channel, role, language, purpose, drill in product(ChannelName, TRIED, LANGUAGES, Purpose, (False, True)):
        words = try_words(wording, channel.value, role, language, purpose, drill)
        where = f"{frame_of(language)}/{channel.value}.j2 for {role.value}, {purpose.value}"
        wants_link = role.responsible and purpose is Purpose.WARN and channel in {ChannelName.SMS, ChannelName.WECHAT}
        if wants_link != (LINK in words.text):
            raise WordingError(f"{where}: {'has no place for the link' if wants_link else 'has a link that nobody asked for'}")
