"""The values of a template's typed keys, in the form and length of their types: WeChat refuses (47003) any other.

https://developers.weixin.qq.com/doc/service/api/notify/notify/api_sendnewsubscribemsg.html
"""

import re
from collections.abc import Mapping

from warnhub.port import Words

LIMITS = {
    "thing": 20,
    "const": 20,
    "character_string": 32,
    "number": 32,
    "letter": 32,
    "symbol": 5,
    "phrase": 5,
    "name": 10,
    "phone_number": 17,
    "car_number": 8,
    "amount": 32,
    "time": 40,
    "date": 40,
    "keyword": 200,
}
NAMES = frozenset({"hazard", "level", "agency", "time", "area", "action", "headline", "expires", "drill"})
PROSE = frozenset({"thing", "const", "keyword"})
"""These may hold a …; a phrase is Chinese characters and nothing else, a number digits."""
EMPTY = "无"
CLOCK = re.compile(r"(\d{1,2})时(?:(\d{1,2})分?)?$")


def checked(fields: Mapping[str, str]) -> Mapping[str, str]:
    """`fields`, if every key is typed as WeChat types and every name is one of ours; ValueError otherwise."""
    for key, name in fields.items():
        if kind(key) not in LIMITS:
            raise ValueError(f"{key}: a template key is one of {', '.join(LIMITS)} and a number, e.g. thing1")
        if name not in NAMES:
            raise ValueError(f"{key}: {name} is not one of {', '.join(sorted(NAMES))}")
    return fields


def kind(key: str) -> str:
    """`thing` of `thing1`; "" for a key without a number."""
    return key.rstrip("0123456789") if key[-1:].isdigit() else ""


def values(fields: Mapping[str, str], words: Words, drill: bool) -> dict[str, dict[str, str]]:
    """The template's `data`. A drill that no chosen field names is named in front of the first `thing`."""
    said = {key: " ".join(words.fields.get(name, "").split()) for key, name in fields.items()}
    mark = words.fields.get("drill") or "演练"
    if drill and not any(mark in value for value in said.values()):
        first = next((key for key in said if kind(key) == "thing"), None) or next(iter(said))
        said[first] = f"【{mark}】{said[first]}"
    return {key: {"value": fitted(kind(key), value)} for key, value in said.items()}


def crowded(fields: Mapping[str, str], words: Words) -> list[str]:
    """The names of those of our words that their keys cut, or that there are none of."""
    said = {key: " ".join(words.fields.get(name, "").split()) for key, name in fields.items() if name != "drill"}
    return [fields[key] for key, value in said.items() if not 0 < len(formed(kind(key), value)) <= LIMITS[kind(key)]]


def formed(kind: str, value: str) -> str:
    """`value` in the form of its type."""
    if kind in {"time", "date"}:
        return CLOCK.sub(lambda found: f" {int(found[1]):02d}:{int(found[2] or 0):02d}", value)
    return value


def fitted(kind: str, value: str) -> str:
    """`value` in the form and the length of its type."""
    value = formed(kind, value)
    most = LIMITS[kind]
    if len(value) > most:
        value = value[: most - 1] + "…" if kind in PROSE else value[:most]
    return value or EMPTY
