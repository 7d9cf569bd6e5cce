"""`warnhub check`: what would become of the alerts in these files. Needs no database and no clock."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from warnhub.alert import Gate, Verdict
from warnhub.ingest.findings import Limits, Unreadable, refusal
from warnhub.ingest.forms import read_alerts

EXITS = {Gate.ACCEPT.value: 0, Gate.HOLD.value: 1, Gate.REFUSE.value: 2}


def check_files(
    paths: Iterable[str | Path], limits: Limits | None = None, now: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """One JSON-able dict for each alert found: file, index (from 0), verdict, problems, alert or None.

    A file that cannot be read is refused with a problem. `now` None judges nothing against the clock, so that an archive
    can be checked.
    """
    for path in paths:
        for index, verdict in enumerate(check_file(Path(path), limits or Limits(), now)):
            yield {"file": str(path), "index": index, **as_line(verdict)}


def check_file(path: Path, limits: Limits, now: datetime | None) -> list[Verdict]:
    """The verdicts on one file; of one larger than allowed only so much is read as shows it."""
    try:
        with path.open("rb") as file:
            body = file.read(limits.max_bytes + 1)
    except OSError as error:
        return [refusal(Unreadable("FILE_UNREADABLE", error.strerror or type(error).__name__, value=path.name).problem)]
    return read_alerts(body, None, limits, now, path.name)


def as_line(verdict: Verdict) -> dict[str, Any]:
    """A verdict as one line of JSON says it; the gravest problem first, notes last."""
    return {
        "verdict": verdict.gate.value,
        "problems": [one.model_dump(mode="json", exclude={"gate"}) for one in verdict.problems],
        "alert": verdict.alert.model_dump(mode="json") if verdict.alert else None,
    }


def exit_code(lines: Iterable[dict[str, Any]]) -> int:
    """0, 1 or 2 by the worst verdict: accept, hold, refuse."""
    return max((EXITS[line["verdict"]] for line in lines), default=0)
