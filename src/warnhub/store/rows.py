"""A list of rows as one bound parameter, read as a table by both databases: the way to touch many rows in one statement."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

CASTS = {"int": ("INTEGER", "bigint"), "text": ("TEXT", "text"), "bool": ("INTEGER", "boolean")}


def rows_table(sqlite: bool, *, name: str = "rows", **columns: str) -> str:
    """SQL for a table of `columns` (name → int, text or bool), to be joined; bind `pack_rows(…)` as `:name`."""
    if sqlite:
        picks = ", ".join(f"json_extract(value, '$[{i}]') AS {column}" for i, column in enumerate(columns))
        return f"(SELECT {picks} FROM json_each(:{name}))"
    picks = ", ".join(f"(value->>{i})::{CASTS[kind][1]} AS {column}" for i, (column, kind) in enumerate(columns.items()))
    return f"(SELECT {picks} FROM json_array_elements(CAST(:{name} AS json)) AS listed(value))"


def pack_rows(rows: Iterable[Sequence[Any]]) -> str:
    """The parameter for `rows_table`."""
    return orjson.dumps(list(rows)).decode()
