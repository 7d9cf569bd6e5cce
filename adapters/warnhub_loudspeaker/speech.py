"""What a text becomes before it is spoken or shortened. Numbers and dates were read out by the core; this is the last guard."""

import re
from collections.abc import Iterator

# A pointer ("details at") makes no sense once its address is gone, so it goes with it.
POINTER = r"(?:(?:更多|详细|具体)?(?:详情|信息|内容|情况)?请?(?:点击|访问|查看|登录|浏览|参见|见)|详情|链接|网址)[：:\s]*"
HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,18}(?::\d+)?(?![a-z0-9.@])"
URL = re.compile(rf"(?:{POINTER})?(?:[a-z][a-z0-9+.-]*://[!-~]+|(?<![a-z0-9@]){HOST}(?:[/?#][!-~]*)?|\ue000)", re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>|&[a-z]+;|[\x00-\x08\x0b-\x1f\x7f\ue000-\uf8ff]", re.IGNORECASE)
MARKS = str.maketrans("】()（）!?;:", "，，，，，！？；：", "【")
SENTENCE = re.compile(r"[^。！？；\n]*[。！？；\n]*")
CLAUSE = re.compile(r"[^，、：,]*[，、：,]*")


def spoken(text: str) -> str:
    """`text` without addresses, tags and control characters, and with no mark twice in a row."""
    text = TAG.sub("", URL.sub("", text)).replace("\r", "").translate(MARKS)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r"[，、：\s]*([。！？；\n])[\s，、：。；]*", r"\1", text)
    return re.sub(r"([，、：])[\s，、：]*", r"\1", text).lstrip("。！？，、：； \n").rstrip("，、：； \n")


def cut(text: str, most: int) -> Iterator[str]:
    """The sentences of `text`, each with its mark; those above `most` characters by clause, and at worst anywhere."""
    for sentence in SENTENCE.findall(text):
        if len(sentence) <= most:
            yield sentence
            continue
        held = ""
        for clause in CLAUSE.findall(sentence):
            if held and len(held) + len(clause) > most:
                yield held
                held = ""
            held += clause
            while len(held) > most:
                yield held[:most]
                held = held[most:]
        yield held


def sentences(text: str, most: int = 60) -> list[str]:
    """The pieces of `text` that can be said: at most `most` characters each, none without a word in it."""
    return [piece.strip() for piece in cut(text, most) if re.search(r"\w", piece)]


def fitted(text: str, size: int) -> str:
    """The beginning of `text` that takes at most `size` bytes of UTF-8: whole sentences, else whole clauses, else "" ."""
    for most in (10_000, 1):
        kept = ""
        for piece in cut(text, most) if most > 1 else CLAUSE.findall(text):
            if len((kept + piece).encode()) > size:
                break
            kept += piece
        if kept.strip("，、：； \n"):
            return kept.strip("，、：； \n")
    return ""
