"""The columns of the directory's files, by any of their headers, and how each cell is read.

A reader takes the stripped text of a cell, which is never empty, and gives its value or raises `Wrong`.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from warnhub.port import masked
from warnhub.roles import Role

PEOPLE = {
    "ref": ("编号", "人员编号", "工号", "id"),
    "name": ("姓名", "名称"),
    "role": ("角色", "职务", "岗位"),
    "area": ("区划代码", "网格编码", "网格代码", "区划", "area_code", "code"),
    "phone": ("手机", "手机号", "手机号码", "电话", "联系电话", "mobile", "sms"),
    "openid": ("微信", "微信openid", "wechat"),
    "push": ("推送", "推送地址"),
    "jpush": ("极光", "极光推送", "registration_id"),
    "fcm": ("fcm_token",),
    "language": ("语言", "lang"),
    "deputy": ("副手", "代理人", "副手编号"),
    "superior": ("上级", "上级编号"),
    "opt_out": ("退订", "是否退订", "optout"),
}
DEVICES = {
    "ref": ("编号", "设备编号", "id"),
    "name": ("名称", "设备名称"),
    "area": ("区划代码", "网格编码", "网格代码", "区划", "area_code", "code"),
    "kind": ("类型", "设备类型", "type"),
    "address": ("地址", "设备地址", "主题", "topic"),
}
AREAS = {
    "code": ("区划代码", "编码", "代码", "编号", "adcode", "ref"),
    "name": ("名称", "区划名称"),
    "lon": ("经度", "longitude", "lng"),
    "lat": ("纬度", "latitude"),
    "shape": ("边界", "wkt", "geometry"),
}
# What must not stand in a report in full.
ADDRESSES = frozenset({"phone", "openid", "push", "jpush", "fcm"})

ROLES = {word: role for role in Role for word in (role.value, role.zh, role.en)} | {
    "村主任": Role.VILLAGE_HEAD,
    "村长": Role.VILLAGE_HEAD,
    "村支书": Role.VILLAGE_HEAD,
    "乡镇值班员": Role.TOWNSHIP_DUTY,
    "县级值班员": Role.COUNTY_DUTY,
    "领导": Role.LEADER,
    "村民": Role.RESIDENT,
    "群众": Role.RESIDENT,
    "speaker": Role.SPEAKER,
    "喇叭": Role.SPEAKER,
    "led": Role.DISPLAY,
}
LANGUAGES = {
    "中文": "zh-CN",
    "汉语": "zh-CN",
    "普通话": "zh-CN",
    "英语": "en",
    "英文": "en",
    "藏语": "bo",
    "维吾尔语": "ug",
    "蒙古语": "mn",
    "壮语": "za",
}
YES_NO = dict.fromkeys(("是", "y", "yes", "true", "1", "已退订"), True) | dict.fromkeys(("否", "n", "no", "false", "0"), False)

REF = re.compile(r"[^\s\x00-\x1f\x7f]{1,64}")
CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffd]")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
OPENID = re.compile(r"[A-Za-z0-9_-]{10,64}")
JPUSH = re.compile(r"[A-Za-z0-9]{11,64}")
FCM = re.compile(r"[A-Za-z0-9_:.-]{20,4096}")
DEVICE = re.compile(r"[0-9]{12}/[A-Za-z0-9_-]{1,64}")

# A number in the wrong column must not be shown in full either.
NUMBER = re.compile(r"(?<![0-9])1[0-9]{10}(?![0-9])")
# Nearly every line holds a plain mainland mobile number: this is the library's own rule for them, without its machinery.
PLAIN = re.compile(r"(?:\+?86|0086)?(1[0-9]{10})")
_china: Any = PhoneMetadata.metadata_for_region("CN")
MOBILE: re.Pattern[str] = re.compile(_china.mobile.national_number_pattern)
SMS_TYPES = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}

Reader = Callable[[str], Any]


class Wrong(Exception):
    """A cell cannot be used; `rule` is one of `report.RULES`."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def header_names(columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Each header in lower case → its column."""
    return {word: column for column, words in columns.items() for word in (column, *words)}


def hide(column: str, cell: str) -> str:
    """A cell as a report may show it."""
    if column in ADDRESSES or NUMBER.search(cell):
        return masked(cell)
    return cell if len(cell) <= 60 else cell[:57] + "…"


def read_ref(cell: str) -> str:
    """A key of the office's own: up to 64 characters without blanks."""
    return matching(REF, cell)


def read_name(cell: str) -> str:
    """A name of at most 64 characters, inner blanks drawn together."""
    name = " ".join(cell.split())
    if len(name) > 64 or CONTROL.search(name):
        raise Wrong("form")
    return name


def read_person(cell: str) -> str:
    """The role of a person."""
    role = ROLES.get(cell) or ROLES.get(cell.lower())
    if role is None or not role.person:
        raise Wrong("role")
    return role.value


def read_device(cell: str) -> str:
    """The role of a device."""
    role = ROLES.get(cell) or ROLES.get(cell.lower())
    if role is None or role.person:
        raise Wrong("role")
    return role.value


def read_phone(cell: str) -> str:
    """A mobile number in E.164; spreadsheets' `.0` and apostrophe, blanks, dashes and full-width digits are forgiven."""
    text = cell if cell.isascii() else unicodedata.normalize("NFKC", cell)
    text = text.removeprefix("'").removesuffix(".0")
    plain = PLAIN.fullmatch(text)
    if plain and MOBILE.fullmatch(plain[1]):
        return "+86" + plain[1]
    try:
        number = phonenumbers.parse(text, "CN")
    except NumberParseException as error:
        raise Wrong("phone") from error
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in SMS_TYPES or number.extension:
        raise Wrong("phone")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def read_push(cell: str) -> str:
    """`jpush:<registration id>` or `fcm:<token>`."""
    provider, _, token = cell.partition(":")
    if provider.lower() == "jpush":
        return read_jpush(token)
    if provider.lower() == "fcm":
        return read_fcm(token)
    raise Wrong("form")


def read_jpush(cell: str) -> str:
    """A registration id, with its provider before it."""
    return "jpush:" + matching(JPUSH, cell)


def read_fcm(cell: str) -> str:
    """A registration token, with its provider before it."""
    return "fcm:" + matching(FCM, cell)


def read_openid(cell: str) -> str:
    """A WeChat openid."""
    return matching(OPENID, cell)


def read_language(cell: str) -> str:
    """A BCP 47 tag."""
    return LANGUAGES.get(cell) or matching(LANGUAGE, cell)


def read_flag(cell: str) -> bool:
    """Yes or no."""
    try:
        return YES_NO[cell.lower()]
    except KeyError as error:
        raise Wrong("yes_no") from error


def read_topic(cell: str) -> str:
    """A device's address, `area12/device`."""
    return matching(DEVICE, cell)


def read_degrees(cell: str) -> float:
    """Degrees, as a finite number."""
    try:
        degrees = float(cell)
    except ValueError as error:
        raise Wrong("range") from error
    if not -180 <= degrees <= 180:
        raise Wrong("range")
    return degrees


def matching(pattern: re.Pattern[str], cell: str) -> str:
    """`cell`, if the whole of it has the pattern."""
    if not pattern.fullmatch(cell):
        raise Wrong("form")
    return cell
