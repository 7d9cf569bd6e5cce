"""The tables of a report in words: what each line is about, what each number means, and how it is written."""

from typing import Any

from warnhub.console import figures
from warnhub.console.people import reason_words
from warnhub.console.scene import channel_name
from warnhub.console.strings import has_words, say
from warnhub.monitor.report import COLUMNS, SECONDS, SHARES, Figure, Row
from warnhub.response.figures import DEFINITIONS
from warnhub.roles import Role


def define(key: str, lang: str) -> str:
    """What a number means."""
    if key in DEFINITIONS:
        return DEFINITIONS[key][0 if lang == "zh" else 1]
    return say(f"define.{key}", lang)


def column_names(table: str, lang: str) -> list[str]:
    """The heads of a table's columns."""
    return [say(f"figure.{name}", lang) for name in COLUMNS[table]]


def line_name(table: str, row: Row, lang: str) -> str:
    """What a line is about."""
    if table == "indicators":
        return say(f"figure.{row.key}", lang)
    if table == "compare":
        return f"{say(f'compare.{row.key}', lang)} · {row.name}"
    if table == "channels":
        return channel_name(row.key, lambda key: say(key, lang))
    if table == "roles":
        return Role(row.key).name_in(lang)
    if table == "times":
        return time_name(row, lang)
    return row.name


def time_name(row: Row, lang: str) -> str:
    """A group of those who were asked."""
    if row.key == "role":
        return Role(row.name).name_in(lang)
    if row.key == "channel":
        return channel_name(row.name, lambda key: say(key, lang))
    return row.name or say("marks.everybody", lang)


def pull_words(pull: Any, lang: str) -> str:
    """What pulled a group down."""
    worst, reason, times = pull or ("", "", 0)
    if not worst:
        return ""
    name = say(f"figure.{worst}", lang)
    return f"{name}：{reason_words(reason, lang)} ×{times:,}" if reason else name


def share_words(share: float) -> str:
    """A share, cut and not rounded."""
    return figures.percent(int(share * 10_000 + 1e-6) or int(share > 0), 10_000)


def cell_words(table: str, column: str, row: Row, lang: str) -> str:
    """A number as it is read."""
    value = row.cells.get(column)
    if column == "cause":
        return pull_words(value, lang)
    if value is None:
        return "–"
    name = row.key if table == "indicators" and column == "value" else column
    if name in SHARES:
        return share_words(value)
    if name in SECONDS:
        return figures.span(value, lang)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def figure_words(one: Figure, lang: str) -> str:
    """A figure as it is read."""
    if one.value is None or (one.key in SHARES and not one.whole and not one.unit):
        return "–"
    if one.unit == "1":
        return share_words(one.value)
    if one.unit == "s":
        return figures.span(one.value, lang)
    return f"{one.value:,}" if isinstance(one.value, int) else f"{one.value:g}"


def known(key: str) -> bool:
    """Whether a column or figure has a name and a definition."""
    return has_words(f"figure.{key}") and (key in DEFINITIONS or has_words(f"define.{key}"))
