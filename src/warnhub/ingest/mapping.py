"""Foreign words read as ours, from `mapping.json`: hazards and levels. Every reading is kept beside the result."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from warnhub.alert import Kind, Level, Status
from warnhub.hazards import hazard_table, known
from warnhub.ingest.findings import Findings, Where

CODE = re.compile(r"[12]\d[A-Z]\d{2}|[12]\d000|00000", re.ASCII)
COLOUR = re.compile(r"([红橙黄蓝紅黃藍])色")
CHANGED = re.compile(
    r"(?:升级|升級|降级|降級|变更|變更|更新|调整|調整|[升降改])(?:为|為|至|成|到)[^红橙黄蓝紅黃藍]{0,20}([红橙黄蓝紅黃藍])色"
)
TOKENS = re.compile(r"[;,/\s()\[\]【】]+")
TEST_WORDS = re.compile(r"测试|演练|演习|測試|演練|演習|\b(?:tests?|drill|exercise(?! caution))\b", re.IGNORECASE)
LIFTED = re.compile(r"(?:解除|取消).{0,30}(?:预警|警报|警戒|信号|預警|警報)")
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
    stated = stated_level(named)
    titled = title_colour(titles)
    if stated and titled and stated.value != titled.value:
        findings.add(where, "LEVEL_CONFLICT", titled.words, stated.words)
    if found := stated or titled:
        return Level(found.value), found.words
    if green := below_blue(named):
        findings.add(where, "LEVEL_BELOW_BLUE", green)
        return Level.BLUE, green
    if several := next((title for title in titles if len(title_colours(title)) > 1), ""):
        findings.add(where, "LEVEL_CONFLICT", several, "several colours")
    if mapped := mapping()["severity_levels"].get(severity):
        words = f"severity={severity.capitalize()} → {mapped}"
        findings.add(where, "LEVEL_MAPPED", severity, words)
        return Level(mapped), words
    if not ends:
        findings.add(where, "LEVEL_UNKNOWN", severity)
    return Level.BLUE, f"severity={severity}"


def level_tokens(named: Sequence[Named]) -> Iterator[tuple[str, str]]:
    """Each word under a name that says level, with the whole of it."""
    for name, value in named:
        if name.lower() in mapping()["level_names"]:
            yield from ((token, f"{name}={value}") for token in TOKENS.split(value.lower()) if token)


def stated_level(named: Sequence[Named]) -> Reading | None:
    """A colour or a rank under a name that says level."""
    table = mapping()["colours"] | mapping()["ranks"]
    return next((Reading(table[token], words) for token, words in level_tokens(named) if token in table), None)


def below_blue(named: Sequence[Named]) -> str:
    """The words that say green, or ""."""
    return next((words for token, words in level_tokens(named) if token in mapping()["below_blue"]), "")


def title_colours(title: str) -> set[str]:
    """The colours a Chinese title says; where it tells of a change, the one it changes to."""
    changed = CHANGED.search(title)
    return {mapping()["colours"][found] for found in ([changed[1]] if changed else COLOUR.findall(title))}


def title_colour(titles: Sequence[str]) -> Reading | None:
    """The colour of the first title that says just one."""
    named = ((title, title_colours(title)) for title in titles)
    return next((Reading(colours.pop(), f"headline={title}") for title, colours in named if len(colours) == 1), None)


def check_titles(
    status: Status | None, kind: Kind | None, codes: Sequence[str], titles: Sequence[str], where: Where, findings: Findings
) -> None:
    """Hold what says `actual` over a test's code or title, and what says `alert` over a title that lifts a warning."""
    code = next((one for one in codes if one in mapping()["test_codes"]), None)
    test = code or next((one for one in titles if TEST_WORDS.search(one)), None)
    if test and status is Status.ACTUAL:
        findings.add(where, "TEST_CONTENT", test)
    lifted = next((one for one in titles if LIFTED.search(one)), None)
    if lifted and kind in (Kind.ALERT, Kind.UPDATE):
        findings.add(where, "LIFTED_NOT_CANCELLED", lifted)
