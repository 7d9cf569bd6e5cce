"""What ends a warning without being called a cancel, and what says again what was said before.

Agencies end by an update that says it is over (Canada: `Alert_Location_Status=ended`), by urgency Past, or, in China and
Japan, by 解除 as a new alert; and many give each re-issue a new identifier and refer to nothing.
"""

import re
import unicodedata
from functools import lru_cache

from warnhub.alert import Alert, Kind, Level, Urgency
from warnhub.ingest.mapping import LIFTED, title_colour

OVER = frozenset(("ended", "cancelled", "canceled"))
STATUS = re.compile(r"(?:^|[:.])alert_location_status$", re.IGNORECASE)
ANEW = re.compile(r"发布|升级|降级|变更|改为|改发|更新|同时|继续|發布|升級|降級|變更|改為|改發|同時|繼續")
TIMES = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]?|\d{4}\s*[年/]|\d{1,2}\s*月\s*\d{1,2}\s*[日号]|\d{1,2}\s*[日号]"
    r"|(?:上午|下午|凌晨|夜间|今天|今晚|明天|明晨)"
    r"|\d{1,2}\s*[::时時]\s*(?:\d{1,2}\s*分?)?(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?|\b\d{3,4}\s*(?:AM|PM)\s*[A-Z]{2,4}\b",
    re.IGNORECASE,
)

REMEMBERED = 2_000


def ends_by_update(alert: Alert) -> str:
    """The words by which an update says that what it updates is over; "" if it does not."""
    if alert.kind is not Kind.UPDATE:
        return ""
    said = [one.value.strip().lower() for one in alert.parameters if STATUS.search(one.name)]
    if said and all(value in OVER for value in said):
        return f"Alert_Location_Status={said[0]}"
    return "urgency=Past" if alert.urgency is Urgency.PAST else ""


def lifts(alert: Alert) -> bool:
    """Whether its titles lift a warning and say nothing else: 解除 with a new or changed warning beside it is for a person."""
    titles = [words for text in alert.texts for words in (text.headline, text.event) if words]
    lifting = [title[found.start() :] for title in titles if (found := LIFTED.search(title))]
    return bool(lifting) and not any(ANEW.search(rest) for rest in lifting)


def said_level(alert: Alert) -> Level | None:
    """The colour its titles name; None if they name none."""
    found = title_colour([text.headline for text in alert.texts])
    return Level(found.value) if found else None


def bare_words(alert: Alert) -> str:
    """What it says, without times, blanks and punctuation: what two issues of one warning have in common.

    Numbers that are no times stay: 50 mm and 100 mm are two warnings.
    """
    texts = sorted(alert.texts, key=lambda text: text.language)
    words = "\n".join(f"{one.event}|{one.headline}|{one.description}|{one.instruction}" for one in texts)
    return bare_short(words) if len(words) <= REMEMBERED else bare_text(words)


@lru_cache(maxsize=2_048)
def bare_short(words: str) -> str:
    """The same, remembered: in a busy hour each alert is held against hundreds that live."""
    return bare_text(words)


def bare_text(words: str) -> str:
    """Words without times, blanks and punctuation."""
    kept = TIMES.sub("", unicodedata.normalize("NFKC", words))
    return "".join(char for char in kept if char.isalnum() or char in "|\n.%").lower()


def same_words(said: Alert, alert: Alert) -> bool:
    """Whether two alerts say the same, but for their times."""
    return said.parameters == alert.parameters and bare_words(said) == bare_words(alert)


def same_reading(said: Alert, alert: Alert) -> bool:
    """Whether both are levels that follow from readings of one station under one title: only the values have changed."""
    first, again = ({one.name: one.value for one in made.parameters} for made in (said, alert))
    derived = all("derivation" in named and "station" in named for named in (first, again))
    titles = [[text.headline for text in made.texts] for made in (said, alert)]
    return (
        derived
        and said.original.form == alert.original.form
        and first["station"] == again["station"]
        and titles[0] == titles[1]
    )
