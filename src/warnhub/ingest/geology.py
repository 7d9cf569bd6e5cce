"""Alarms of monitored hazard points (crack, displacement, tilt, rain), as JSON or CSV → `Alert`; the data is `geology.yaml`.

The point's responsible person is kept by name; of a telephone number only the last digits are kept.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from warnhub.alert import Verdict
from warnhub.ingest.findings import Limits
from warnhub.ingest.hydrology import holds_records, is_record, read_records, read_rows
from warnhub.ingest.scales import read_book
from warnhub.ingest.table import Table

FORM = "geology"


def is_geology(value: Any) -> bool:
    """Whether this JSON is of monitored points."""
    return holds_records(value, read_book(FORM))


def read_geology(value: Any, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each alarm and for each reading that is none."""
    return read_records(value, read_book(FORM, limits.tables), limits, now)


def is_table(table: Table) -> bool:
    """Whether this CSV is of monitored points."""
    return is_record(dict.fromkeys(table.headers), read_book(FORM))


def read_table(table: Table, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each alarm and for each line that is none."""
    return read_rows(table, read_book(FORM, limits.tables), limits, now)
