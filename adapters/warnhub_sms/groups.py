"""What can go out in one call: the same template with the same values, to numbers at home or abroad but not to both.

https://www.alibabacloud.com/help/en/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from warnhub.port import Outgoing, Reason, SendError

LINK_CODE, REPLY_CODE = "link_code", "reply_code"
NAMES = frozenset(
    {"hazard", "level", "agency", "time", "area", "action", "headline", "expires", "drill", LINK_CODE, REPLY_CODE}
)
OWN = NAMES - {LINK_CODE, REPLY_CODE, "drill"}
"""What every message of a warning has, for each of its words."""
PROSE = ("headline", "area", "action")
HOME = re.compile(r"\+86(1[3-9]\d{9})")
MOBILE = re.compile(r"1[3-9]\d{9}")
ABROAD = re.compile(r"\+(?!86)([1-9]\d{6,14})")
URL = re.compile(r"https?://\S+")


class Kind(NamedTuple):
    """What all messages of a call share."""

    template: str
    values: str
    abroad: bool


class Group(NamedTuple):
    """Who a call is for: our references, and the numbers as Alibaba Cloud writes them."""

    references: Sequence[str]
    phones: Sequence[str]

    def halves(self) -> "tuple[Group, Group]":
        """Two of half the size."""
        half = len(self.phones) // 2
        return Group(self.references[:half], self.phones[:half]), Group(self.references[half:], self.phones[half:])


def grouped(messages: Sequence[Outgoing]) -> Group:
    """The group of messages whose numbers can be carried."""
    return Group([message.reference for message in messages], [national(message.address)[0] for message in messages])


def national(address: str) -> tuple[str, bool]:
    """How Alibaba Cloud writes a number, and whether it is abroad. Raises `SendError` for one it cannot carry.

    It wants no +, so a North American number can be the same digits as a mainland mobile: a stranger's.
    """
    if found := HOME.fullmatch(address):
        return found[1], False
    found = ABROAD.fullmatch(address)
    if not found:
        raise SendError(Reason.RECIPIENT, "number", "not a mobile number that can be reached")
    if MOBILE.fullmatch(found[1]):
        raise SendError(Reason.REJECTED, "ambiguous", "these digits are a mainland number to this provider")
    return found[1], True


def international(phone: str) -> str:
    """E.164 of a number as Alibaba Cloud writes it."""
    digits = phone.strip().lstrip("+").removeprefix("00")
    return f"+86{digits}" if MOBILE.fullmatch(digits) else f"+{digits}"


def values(names: Mapping[str, str], message: Outgoing, longest: int) -> dict[str, str]:
    """The template's variables. A drill that none of them names is named in front of the first one that is prose."""
    link = urlsplit(message.link).path.rstrip("/").rpartition("/")[2]
    told = dict(message.words.fields) | {LINK_CODE: link, REPLY_CODE: message.code}
    said = {key: " ".join(URL.sub("", told.get(name, "")).split()) for key, name in names.items()}
    mark = told.get("drill") or "演练"
    if message.drill and not any(mark in value for value in said.values()):
        free = [key for key, name in names.items() if name not in {LINK_CODE, REPLY_CODE}]
        if not free:
            raise SendError(Reason.CONFIG, "drill", "the template has no variable in which to say that it is a drill")
        first = next((key for key in free if names[key] in PROSE), free[0])
        said[first] = f"【{mark}】{said[first]}"
    return {key: value if len(value) <= longest else value[: longest - 1] + "…" for key, value in said.items()}


def packed(said: Mapping[str, str]) -> str:
    """The variables as TemplateParam; the same variables are always the same text."""
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
