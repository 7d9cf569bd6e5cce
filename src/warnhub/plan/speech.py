"""What a loudspeaker says: Chinese text with its numbers, dates, units and codes as a newsreader would say them.

A row of rules, each a pattern and what becomes of it, in the order that keeps them apart: what is not speech goes first, then
dates and clocks, codes that are said digit by digit, ranges, numbers with units, and at last plain numbers and pauses.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from warnhub.plan.clean import clean_text
from warnhub.plan.english import english_speech
from warnhub.plan.numerals import (
    MEASURES,
    read_code,
    read_digits,
    read_hour,
    read_minutes,
    read_number,
    read_short,
)

Say = Callable[[re.Match[str]], str]
Rule = tuple[re.Pattern[str], Say]

HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
SPEECHLESS = re.compile(
    r"(?:https?|ftps?|rtsp|mailto):/{0,2}[^\s\u3000-\u303f\u3400-\u9fff\uff00-\uffef]*"
    r"|(?<![\w.-])www\.[^\s\u3000-\u303f\u3400-\u9fff\uff00-\uffef]*"
    r"|(?<![A-Za-z0-9.+-])[A-Za-z0-9.+_-]{1,64}@[A-Za-z0-9.-]{1,255}"
    r"|(?<![A-Za-z0-9.-])(?:[A-Za-z0-9-]{1,63}\.){1,8}(?:com|cn|net|org|gov|edu|info|top|xyz|io)\b(?:/[\x21-\x7e]*)?"
    r"|(?<!\d)\d{14}_\d{14}(?:_\d)?(?!\d)"
    r"|(?<![A-Za-z0-9])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9-])(?-i:1[1-49][A-S]\d{2})(?![A-Za-z0-9:])",
    re.IGNORECASE | re.ASCII,
)
KEPT = "，。！？；、…"

NUMBER = r"\d+(?:\.\d+)?"
DASH = r"(?:——|[-—–~])"
UNITS = {
    "mm": "毫米", "cm": "厘米", "dm": "分米", "m": "米", "km": "公里", "m2": "平方米", "km2": "平方公里", "m3": "立方米",
    "g": "克", "kg": "公斤", "t": "吨", "L": "升", "mL": "毫升", "ml": "毫升", "s": "秒", "min": "分钟", "h": "小时",
    "d": "天", "hPa": "百帕", "kPa": "千帕", "MPa": "兆帕", "Pa": "帕", "kW": "千瓦", "kV": "千伏", "V": "伏", "dB": "分贝",
    "kt": "节", "°C": "摄氏度", "°F": "华氏度", "°": "度",
}  # fmt: skip
UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
COMPOUND = rf"(?:{UNIT})(?:/(?:{NUMBER})?(?:{UNIT}))?(?![A-Za-z0-9])|[%‰]"
HANZI_UNIT = (
    "毫米|厘米|米|公里|千米|摄氏度|度|小时|分钟|秒|级|元|万|亿|人|户|个|吨|年|月|日|天|时|点|分|号|名|次|条|座|处|亩|公顷|"
    "台|辆|间|栋|顷|多|余|以上|以下|左右"
)
NO_AMOUNT = rf"(?!\d|\.\d|\s*(?:{COMPOUND}|{HANZI_UNIT})|{DASH}\d)"
COLD = rf"{NUMBER}\s?(?:°C)?\s?(?:(?:{DASH}|至|到)\s?-?{NUMBER}\s?)?(?:°C|度|摄氏度)"
SIGN = rf"(?:(?<![\u4e00-\u9fffA-Za-z\d])-|(?<!\d)-(?={COLD}))"
LATIN = re.compile(r"[A-Za-z]{3,}")
ROMAN = {"I": "一", "II": "二", "III": "三", "IV": "四", "V": "五"}


def spoken_text(text: str, zone: str | ZoneInfo = "Asia/Shanghai", language: str = "") -> str:
    """`text` as it is said aloud: no digit, address, code or markup is left, and pauses are ， 。 ！ ？ 、 only.

    Times with an offset are told in `zone`. `language` is BCP 47; without it, text of Latin words alone is told in English.
    """
    clean = SPEECHLESS.sub(" ", fold_characters(SPEECHLESS.sub(" ", clean_text(text))))
    said = localise(clean, ZoneInfo(zone) if isinstance(zone, str) else zone)
    if is_english(clean, language):
        return english_speech(said)
    for pattern, say in RULES:
        said = pattern.sub(say, said)
    return set_pauses(read_digits(said))


def is_english(text: str, language: str) -> bool:
    """Whether it is told in English: as it is said to be, else by its words."""
    if language:
        return not language.lower().startswith("zh")
    return not HAN.search(text) and bool(set(LATIN.findall(text)) - UNITS.keys())


def fold_characters(text: str) -> str:
    """Full-width, Roman, circled and foreign digits and units in their plain form; Chinese punctuation stays."""
    return "".join(fold_character(one) for one in text).replace("−", "-")


def fold_character(one: str) -> str:
    """One character in its plain form."""
    if one in KEPT:
        return one
    if (value := unicodedata.decimal(one, None)) is not None:
        return str(value)
    plain = unicodedata.normalize("NFKC", one).replace("⁄", "/")
    return f"，{plain}，" if "①" <= one <= "⓿" else plain


MOMENT = re.compile(
    r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?(?!\d)"
)


def localise(text: str, place: ZoneInfo) -> str:
    """Machine times as dates and clocks people use, in local time where they carry an offset."""
    return MOMENT.sub(lambda match: say_moment(match, place), text)


def say_moment(match: re.Match[str], place: ZoneInfo) -> str:
    """2026-06-12T08:20:00Z → 2026年6月12日16:20 (in Shanghai); without an offset it is local already."""
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour), int(minute))
        if offset:
            at = datetime.fromisoformat(f"{at.isoformat()}{'+00:00' if offset == 'Z' else offset}").astimezone(place)
    except (ValueError, OverflowError):
        return match[0]
    return f"{at.year}年{at.month}月{at.day}日{at:%H:%M}" + (f":{second}" if int(second or 0) else "")


def say_date(match: re.Match[str]) -> str:
    """2026-06-12 → 二零二六年六月十二日; left as it is where no such day can be."""
    year, month, day = match.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    return f"{read_digits(year)}年{read_short(month)}月{read_short(day)}日"


def say_clock(match: re.Match[str]) -> str:
    """16:20 → 十六点二十分, 16:00 → 十六点; left as it is where no such time can be."""
    hour, minute, second = match.groups()
    if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 59:
        return match[0]
    tail = f"{read_minutes(second)}秒" if int(second or 0) else ""
    return f"{read_hour(hour)}点" + (f"{read_minutes(minute)}分" if int(minute) or tail else "") + tail


def say_hanzi_clock(match: re.Match[str]) -> str:
    """16时05分 → 十六时零五分, 16时00分 → 十六时."""
    hour, mark, minute = match.groups()
    said = read_hour(hour) if mark == "点" else read_short(hour)
    return f"{said}{mark}" + (f"{read_minutes(minute)}分" if int(minute) else "")


def say_unit(unit: str) -> str:
    """mm/h → 毫米每小时, mm/24h → 毫米每二十四小时; nothing stays nothing."""
    whole, _, per = unit.partition("/")
    if not per:
        return UNITS.get(unit, "")
    amount = re.match(NUMBER, per)
    name = UNITS[per[amount.end() :]] if amount else UNITS[per]
    return f"{UNITS[whole]}每" + (read_count(amount[0], name) if amount else "") + name


def read_count(number: str, following: str) -> str:
    """`number` before what is counted: two of something is 两."""
    return "两" if number == "2" and re.match(MEASURES, following) else read_number(number)


def say_amount(number: str, unit: str, following: str) -> str:
    """A number with its unit (as in `UNITS`, % or ‰, or "" with the words that follow): −5 °C → 零下五摄氏度."""
    size = number.lstrip("-")
    name = say_unit(unit)
    cold = (name or following).startswith(("摄氏度", "度", "℃"))
    sign = ("零下" if cold else "负") if number.startswith("-") else ""
    if unit in {"%", "‰"}:
        size = "" if (size, unit) == ("100", "%") else size
        return f"{sign}{'百' if unit == '%' else '千'}分之{read_number(size) if size else '百'}"
    return f"{sign}{read_count(size, name or following)}{name}"


def say_range(match: re.Match[str]) -> str:
    """3-5小时 → 三到五小时, -5~-2°C → 零下五到零下二摄氏度, 30-50% → 百分之三十到百分之五十."""
    low, first, high, last = match.groups()
    following = match.string[match.end() : match.end() + 4]
    unit = last or ""
    start = say_amount(low, first or unit, following)
    if not first or first == last:
        start = start.removesuffix(say_unit(unit)) if say_unit(unit) else start
    return f"{start}到{say_amount(high, unit, following)}"


def say_number(match: re.Match[str]) -> str:
    """A number with or without a unit."""
    number, unit = match.groups()
    return say_amount(number, unit or "", match.string[match.end() : match.end() + 4])


def rule(pattern: str, say: Say | str) -> Rule:
    """A pattern and what becomes of each match."""
    return re.compile(pattern), (lambda match: match.expand(say)) if isinstance(say, str) else say


def digit_rule(pattern: str, before: str = "") -> Rule:
    """A code said digit by digit: every group of `pattern` is digits; `before` is kept as it is."""
    return rule(f"({before}){pattern}", lambda found: found[1] + read_code("".join(found.groups()[1:])))


YEAR = r"(?:19|20|21)\d{2}"
RULES: tuple[Rule, ...] = (
    rule(r"(?<=\d),(?=\d{3}(?!\d))", ""),
    rule(r"(?<![A-Za-z])(I{1,3}|IV|V)\s?级", lambda found: f"{ROMAN[found[1]]}级"),
    rule(r"(?<=[/\[(])(I{1,3}|IV)(?=[/\])])", lambda found: f"{ROMAN[found[1]]}级"),
    rule(rf"(?<![\d.])({YEAR})[-/.](\d{{1,2}})[-/.](\d{{1,2}})(?![\d.])", say_date),
    rule(rf"(?<![\d.]){YEAR}(?={DASH}\d{{4}}年(?!一遇)|年(?!一遇|以来|历史)|汛期)", lambda found: read_digits(found[0])),
    rule(r"(?<![\d:.])(\d{1,2}):(\d{2})(?::(\d{2}))?(?![\d:])", say_clock),
    rule(r"(?<!\d)(\d{1,2})([时点])(\d{1,2})分(?!钟)", say_hanzi_clock),
    rule(r"(?<![\d.])0(?=[1-9][年月日号时点分秒])", ""),
    rule(r"(?<![\d.])2(?=点(?!\d))", "两"),
    rule(r"(?<!\d)\d{4}(?=号台风)", lambda found: read_digits(found[0])),
    rule(r"(?<!\d)(?:\+86|0086)[- ]?(?=1[3-9])", ""),
    digit_rule(r"(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)", before=r"(?<![\dA-Za-z])"),
    digit_rule(r"(?<!\d)(0\d{2,3})[- ]?(\d{7,8})(?!\d)"),
    digit_rule(r"(?<!\d)([48]00)[- ]?(\d{3,4})[- ]?(\d{3,4})(?!\d)"),
    digit_rule(rf"(?<![\d.])(12\d{{3}}|9[56]\d{{3}}|100(?:10|86)|11\d|12[0-2]){NO_AMOUNT}"),
    digit_rule(rf"(\d{{3,}}){NO_AMOUNT}", before=r"(?:电话|热线|拨打|致电|号码|手机|传真)\D{0,6}"),
    digit_rule(r"(\d{2,4})(?![\d.])", before="(?<![A-Za-z])[GSXY]"),
    digit_rule(rf"(?<![\d.])(\d{{8,}}){NO_AMOUNT}"),
    rule(rf"(?<![\d.A-Za-z])({SIGN}?{NUMBER})\s?({COMPOUND})?\s?(?:{DASH}|至|到)\s?(-?{NUMBER})\s?({COMPOUND})?", say_range),
    rule(r"(?<=[米吨升克人])/(?=\d*(?:小时|秒|分钟|天|日))", "每"),
    rule(r"(?<=[A-Za-z])\.(?=\s?[A-Za-z,])", " "),
    rule(r">=|≥|≧", "大于等于"),
    rule(r"<=|≤|≦", "小于等于"),
    rule(r">", "大于"),
    rule(r"<", "小于"),
    rule(r"±", "正负"),
    rule(r"(?<=[\d\s])[×x*](?=\s?\d)", "乘"),
    rule(r"=", "等于"),
    rule(r"(?<![\d.])(\d{1,4})/(\d{1,4})(?![\d./])", lambda at: f"{read_number(at[2])}分之{read_number(at[1])}"),
    rule(r"(?<![\d.])(\d{1,4})[:∶](\d{1,4})(?![\d.])", lambda at: f"{read_number(at[1])}比{read_number(at[2])}"),
    rule(rf"({SIGN}?{NUMBER})(?:\s?({COMPOUND}))?", say_number),
    rule(
        rf"(?<=[一二三四五六七八九十百千万亿零年月日时点分秒号度级米])\s?{DASH}\s?(?=零下|百分之|[零一二两三四五六七八九十])",
        "到",
    ),
)

STRENGTH = "、，。？！"
PAUSES = {"，": ",:;；：()[]{}（）［］【】〔〕《》〈〉「」『』/|—–-~…•→", "。": ".\n", "！": "!", "？": "?", "和": "&"}
PAUSE_OF = {ord(mark): pause for pause, marks in PAUSES.items() for mark in marks}


def set_pauses(text: str) -> str:
    """Punctuation as pauses, one at a time; what cannot be said goes; spaces stay only between Latin words."""
    marked = "".join(one if is_said(one) else " " for one in text.translate(PAUSE_OF))
    marked = re.sub(rf"[\s{STRENGTH}]*[{STRENGTH}][\s{STRENGTH}]*", lambda run: max(run[0], key=STRENGTH.find), marked)
    marked = re.sub(r"\s+", " ", marked)
    marked = re.sub(r"(?<![A-Za-z]) | (?![A-Za-z])", "", marked).lstrip(STRENGTH)
    return marked.rstrip("、，")


def is_said(one: str) -> bool:
    """A letter, a Chinese character, a mark that belongs to one, or a pause."""
    return one.isalnum() or one in STRENGTH or unicodedata.category(one)[0] == "M"
