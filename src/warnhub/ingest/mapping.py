"""Foreign words read as ours, from `mapping.json`: hazards and levels. Every reading is kept beside the result."""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from warnhub.alert import Level
from warnhub.hazards import hazard_table, known
from warnhub.ingest.findings import Findings, Where

CODE = re.compile(r"[12]\d[A-Z]\d{2}|[12]\d000|00000", re.ASCII)
COLOUR = re.compile(r"([红橙黄蓝紅黃藍])色")
CHANGED = re.compile(
    r"(?:升级|升級|降级|降級|变更|變更|更新|调整|調整|[升降改])(?:为|為|至|成|到)[^红橙黄蓝紅黃藍]{0,20}([红橙黄蓝紅黃藍])色"
)
TOKENS = re.compile(r"[;,/\s()\[\]【】]+")
TEST_WORDS = re.compile(r"测试|演练|演习|測試|演練|演習|\b(?:tests?|drill|exercise(?! caution))\b", re.IGNORECASE)
UNKNOWN_HAZARD = "11B99"


class Named(NamedTuple):
    """A value under the source's own name."""

    name: str
    value: str


class Reading(NamedTuple):
    """What we read, and the source's words it was read from."""

    value: str
    words: str


@cache
def mapping() -> dict[str, Any]:
    """The whole table."""
    table: dict[str, Any] = json.loads(files("warnhub.ingest").joinpath("mapping.json").read_text("utf-8"))
    return table


@cache
def event_names() -> tuple[tuple[str, str], ...]:
    """Chinese names of hazards and their codes, longest first; groups and rare classes only by their code."""
    names = {entry.zh: code for code, entry in reversed(hazard_table().items()) if code[:2] == "11" and code[3:] != "99"}
    names.update(mapping()["event_names"])
    return tuple(sorted(names.items(), key=lambda pair: -len(pair[0])))


@cache
def event_words() -> tuple[tuple[re.Pattern[str], str], ...]:
    """English patterns and their codes, in the order they are tried."""
    return tuple((re.compile(rf"\b(?:{words})", re.IGNORECASE), code) for words, code in mapping()["event_words"])


def read_hazard(codes: Sequence[Named], event: str, categories: Iterable[str], where: Where, findings: Findings) -> Reading:
    """The hazard's code, from a code of ours, a known foreign code, the event's words, or the category."""
    for name, value in codes:
        if CODE.fullmatch(value):
            if not known(value):
                findings.add(where, "HAZARD_UNKNOWN", value)
            return Reading(value, f"{name}={value}")
    found = foreign_code(codes) or named_event(event)
    if found:
        findings.add(where, "HAZARD_MAPPED", found.words, found.value)
        return Reading(found.value, f"{found.words} → {found.value}")
    table = mapping()["category_hazards"]
    guessed = next((table[one.lower()] for one in categories if one.lower() in table), mapping()["other_hazard"])
    findings.add(where, "HAZARD_UNKNOWN", event, str(guessed))
    return Reading(guessed, f"event={event} → {guessed}")


def foreign_code(codes: Sequence[Named]) -> Reading | None:
    """A code of a scheme that the table knows."""
    for name, value in codes:
        scheme = mapping()["event_codes"].get(name.lower(), {})
        for token in (value, TOKENS.split(value)[0]):
            if token in scheme:
                return Reading(scheme[token], f"{name}={value}")
    return None


def named_event(event: str) -> Reading | None:
    """A hazard named in the event's words, Chinese or English."""
    for name, code in event_names():
        if name in event:
            return Reading(code, f"event={event}")
    for pattern, code in event_words():
        if pattern.search(event):
            return Reading(code, f"event={event}")
    return None


def read_level(
    named: Sequence[Named], severity: str, titles: Sequence[str], where: Where, findings: Findings, ends: bool = False
) -> tuple[Level, str]:
    """The colour and the words it was read from: a named colour, a colour in a title, else the severity's mapping.

    Where none can be told the alert is held with blue in its place; `ends` (cancel, ack, error) needs no colour.
    """
    stated = stated_level(named, where, findings)
    titled = title_colour(titles)
    if stated and titled and stated.value != titled.value:
        findings.add(where, "LEVEL_CONFLICT", titled.words, stated.words)
    if found := stated or titled:
        return Level(found.value), found.words
    mapped = mapping()["severity_levels"].get(severity)
    if mapped and not findings.has("LEVEL_BELOW_BLUE"):
        words = f"severity={severity.capitalize()} → {mapped}"
        findings.add(where, "LEVEL_MAPPED", severity, words)
        return Level(mapped), words
    if not ends:
        findings.add(where, "LEVEL_UNKNOWN", severity)
    return Level.BLUE, f"severity={severity}"


def stated_level(named: Sequence[Named], where: Where, findings: Findings) -> Reading | None:
    """A colour or a rank under a name that says level."""
    for name, value in named:
        if name.lower() not in mapping()["level_names"]:
            continue
        tokens = [token for token in TOKENS.split(value.lower()) if token]
        if any(token in mapping()["below_blue"] for token in tokens):
            findings.add(where, "LEVEL_BELOW_BLUE", f"{name}={value}")
            return None
        for token in tokens:
            colour = mapping()["colours"].get(token) or mapping()["ranks"].get(token)
            if colour:
                return Reading(colour, f"{name}={value}")
    return None


def title_colour(titles: Sequence[str]) -> Reading | None:
    """The one colour a Chinese title says; where it tells of a change, the colour it changes to."""
    for title in titles:
        changed = CHANGED.search(title)
        colours = {mapping()["colours"][found] for found in ([changed[1]] if changed else COLOUR.findall(title))}
        if len(colours) == 1:
            return Reading(colours.pop(), f"headline={title}")
    return None


def check_test(actual: bool, codes: Sequence[str], titles: Sequence[str], where: Where, findings: Findings) -> None:
    """Hold what says `actual` but carries a test's code or title."""
    if not actual:
        return
    code = next((one for one in codes if one in mapping()["test_codes"]), None)
    title = next((one for one in titles if TEST_WORDS.search(one)), None)
    if code or title:
        findings.add(where, "TEST_CONTENT", code or title)
