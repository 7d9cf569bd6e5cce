"""Numbers as Chinese people say them."""

import cn2an

DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")
MEASURES = (
    "小时|分钟|个|人|天|次|条|户|座|台|辆|处|名|位|毫米|厘米|米|公里|千米|平方|立方|吨|公斤|倍|周|种|支|套|遍|只|栋|间|艘|口|"
    "万|亿|轮|批|级地震"
)
LONGEST = 15  # more digits than cn2an takes are a code, not an amount


def read_digits(digits: str) -> str:
    """Each digit by itself: 2026 → 二零二六."""
    return digits.translate(DIGITS)


def read_code(digits: str) -> str:
    """Each digit by itself, one as 幺, as telephone numbers are said: 12379 → 幺二三七九."""
    return read_digits(digits).replace("一", "幺")


def read_number(number: str) -> str:
    """An amount, decimals allowed: 1005 → 一千零五, 1.5 → 一点五, 2000 → 两千. Zeros in front make it a code."""
    whole, _, decimals = number.partition(".")
    if len(whole) > LONGEST or (len(whole) > 1 and whole[0] == "0"):
        said = read_digits(whole)
    else:
        said = str(cn2an.an2cn(whole, "low"))
        said = "两" + said[1:] if said[0] == "二" and said[1:2] in {"千", "万", "亿"} else said
    return f"{said}点{read_digits(decimals)}" if decimals else said


def read_short(number: str) -> str:
    """A number of a date or a clock: zeros in front are not said."""
    return read_number(str(int(number)))


def read_minutes(number: str) -> str:
    """The minutes or seconds of a clock: 5 and 05 → 零五, 20 → 二十."""
    value = int(number)
    return f"零{read_number(str(value))}" if 0 < value < 10 else read_number(str(value))


def read_hour(number: str) -> str:
    """The hour before 点: two o'clock is 两."""
    return "两" if int(number) == 2 else read_short(number)
