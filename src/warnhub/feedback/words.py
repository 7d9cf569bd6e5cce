"""What somebody sends back in a short message: an answer beyond doubt, or words for the desk to read.

An answer is the person's code, one of a few words, or both, in any order, however it is punctuated and whatever digits it is
written in. Anything more is not an answer: 没收到 confirms nothing.
"""

import re
import unicodedata
from dataclasses import dataclass

CODE_LENGTH = 4
WORDS = {
    "received": (
        *(
            "1",
            "收到",
            "已收到",
            "收到了",
            "我收到了",
            "收悉",
            "已收悉",
            "确认",
            "已确认",
            "确认收到",
            "知道了",
            "知悉",
            "已知悉",
        ),
        *("ok", "yes", "received", "confirm", "confirmed"),
    ),
    "moved": ("2", "已转移", "转移完毕", "人员已转移", "已全部转移", "moved"),
    "help": ("3", "求助", "求救", "需要帮助", "需要救援", "请求支援", "help", "needhelp"),
    "cannot": ("4", "无法执行", "不能执行", "执行不了", "cannot"),
}
CHOICES = {word: choice for choice, words in WORDS.items() for word in words}
NUMERALS = str.maketrans("〇零一二三四五六七八九两", "001234567892")
NUMERAL = re.compile(r"[〇零一二三四五六七八九]+")
TOKEN = re.compile(r"[0-9]+|[a-z]+|[\u3400-\u9fff〇]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is "" where none was sent; `choice` is `received` where only a code was."""

    code: str
    choice: str


def read_answer(text: str) -> Answer | None:
    """The answer in a short message; None for anything that is not certainly one."""
    plain = unicodedata.normalize("NFKC", text).lower()
    digits, words = [], ""
    for token in TOKEN.findall(plain):
        if token.isdecimal():
            digits.append(token)
        elif NUMERAL.fullmatch(token):
            digits.append(token.translate(NUMERALS))
        else:
            words += token
    if words and words not in CHOICES:
        return None
    found = split_digits(digits)
    if found is None:
        return None
    code, key = found
    chosen = {CHOICES[one] for one in (words, key) if one}
    if len(chosen) > 1 or not (code or chosen):
        return None
    return Answer(code, chosen.pop() if chosen else "received")


def split_digits(digits: list[str]) -> tuple[str, str] | None:
    """(code, key) in the groups of digits, each "" if it is not there; None if they are more than that.

    A code may be written with gaps, `47 21`; a key stands apart from it.
    """
    if not digits:
        return "", ""
    if len(digits) == 1 and digits[0] in CHOICES:
        return "", digits[0]
    for at, key in ((0, digits[0]), (len(digits) - 1, digits[-1])):
        rest = "".join(digits[:at] + digits[at + 1 :])
        if len(digits) > 1 and key in CHOICES and len(rest) == CODE_LENGTH:
            return rest, key
    whole = "".join(digits)
    return (whole, "") if len(whole) == CODE_LENGTH else None
