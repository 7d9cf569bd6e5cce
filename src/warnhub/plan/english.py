"""English as it is said aloud: numbers, clocks and units in words, shouting made speech."""

import re

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
UNITS = {
    "mm": "millimetres", "cm": "centimetres", "m": "metres", "km": "kilometres", "h": "hours", "min": "minutes", "s": "seconds",
    "kg": "kilograms", "t": "tonnes", "m2": "square metres", "km2": "square kilometres", "m3": "cubic metres",
    "hPa": "hectopascals", "°C": "degrees Celsius", "°F": "degrees Fahrenheit", "°": "degrees", "%": "per cent",
    "mph": "miles per hour", "ft": "feet", "in": "inches", "kt": "knots",
}  # fmt: skip
SINGLE = {"h": "hour", "s": "second", "min": "minute"}
UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
AMOUNT = re.compile(rf"(?<![\w.])(-?)(\d+)(?:\.(\d+))?(?:\s?({UNIT})(?:/({'|'.join(SINGLE)}))?(?![A-Za-z0-9]))?")
CLOCK = re.compile(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?::[0-5]\d)?(?![\d:])")
DATE = re.compile(r"(?<!\d)(\d{4})[-年](\d{1,2})[-月](\d{1,2})(?:日|(?!\d))")
CODE = re.compile(r"(?<![\d.:])(?:\+?\d[\d-]{6,}\d|0\d+|1[12][0-9]{3}|9[156]\d{0,3}|11\d)(?![\d.%°:]|\s?(?:mm|cm|m|km|h)\b)")
LONGEST = 12


def english_speech(text: str) -> str:
    """`text` with no digit left; capitals throughout are lowered, since voices spell them out."""
    said = re.sub(r"://|www\.", " ", calm_capitals(text), flags=re.IGNORECASE)
    said = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", said)
    said = DATE.sub(say_date, said)
    said = CODE.sub(lambda code: f" {read_digits(code[0])} ", said)
    said = re.sub(r"(?<=[\d%])\s?[-–—~]\s?(?=\d)", " to ", said)
    said = CLOCK.sub(lambda at: f" {read_number(int(at[1]))} {read_minutes(int(at[2]))} ", said)
    said = AMOUNT.sub(say_amount, said)
    said = re.sub(r"\d+", lambda left: f" {read_digits(left[0])} ", said)
    said = re.sub(r"[\[\]{}()<>|*_#/\\\"“”]+", ", ", said)
    said = re.sub(r"\s+", " ", said)
    return re.sub(r"(?:\s*,)+(?=\s*[,.!?]|$)|^[\s,]+", "", said.replace(" ,", ",").replace(" .", ".")).strip(" ,")


def calm_capitals(text: str) -> str:
    """Text that is mostly capitals in sentence case; otherwise as it is."""
    letters = [one for one in text if one.isalpha()]
    if len(letters) < 20 or sum(one.isupper() for one in letters) < 0.7 * len(letters):
        return text
    return re.sub(r"(?:^|[.!?\n]\s*)[a-z]", lambda start: start[0].upper(), text.lower())


def read_number(number: int) -> str:
    """0–999,999,999,999 in words."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")
    scale, name = next(pair for pair in SCALES if number >= pair[0])
    rest = number % scale
    joint = " and " if 0 < rest < 100 else " "
    return f"{read_number(number // scale)} {name}" + (f"{joint}{read_number(rest)}" if rest else "")


def read_digits(digits: str) -> str:
    """Each digit by itself."""
    return " ".join(ONES[int(one)] for one in digits if one.isdigit())


def read_minutes(minutes: int) -> str:
    """The minutes of a clock."""
    if minutes == 0:
        return "hundred hours"
    return read_number(minutes) if minutes > 9 else f"oh {read_number(minutes)}"


def say_date(match: re.Match[str]) -> str:
    """2026-06-12 → June twelve, …; left as it is where no such month is."""
    year, month, day = (int(part) for part in match.groups())
    if not 1 <= month <= 12:
        return match[0]
    return f" {MONTHS[month - 1]} {read_number(day)}, {read_number(year)} "


def say_amount(match: re.Match[str]) -> str:
    """−1.5 °C → minus one point five degrees Celsius."""
    sign, whole, decimals, unit, per = match.groups()
    said = read_number(int(whole)) if len(whole) <= LONGEST else read_digits(whole)
    if decimals:
        said += f" point {read_digits(decimals)}"
    name = UNITS.get(unit or "", "")
    if per:
        name += f" per {SINGLE[per]}"
    return f"{'minus ' if sign else ''}{said} {name} " if name else f"{'minus ' if sign else ''}{said}"
