"""Check every message of the shared corpus and say how far the verdicts agree with what is known of each.

    python scripts/corpus.py [corpus folder]

What is known: `index.json` (well formed, valid by the OASIS schema, sound geometry) and EXPECTED.json (the element and the
fault). A sound message must be taken, or held for one of the reasons in FOUNDED, none of which the schema can see.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from warnhub.ingest import read_alerts
from warnhub.ingest.check import as_line, check_files

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "cap_corpus"
INVALID = "google_invalid_from_tests"
MOMENT = re.compile(r"date:now ([-+]?\d+) (second|minute|hour|day)s?")
NOON = datetime(2026, 6, 12, 12, tzinfo=UTC)
NOT_READ = frozenset(("FORM_NOT_READ",))
FOUNDED = frozenset(
    (
        "LEVEL_UNKNOWN",
        "LEVEL_BELOW_BLUE",
        "NO_AREA",
        "MISSING_INFO",
        "INFO_MIXED",
        "MISSING_REFERENCE",
        "FOREIGN_REFERENCE",
        "CIRCULAR_REFERENCE",
        "EXPIRES_BEFORE_SENT",
        "TEST_CONTENT",
        "INVALID_IDENTIFIER",
    )
)


class Judged(NamedTuple):
    """One alert, what is known of it, what became of it, and whether that fits."""

    file: str
    number: int
    known: str
    verdict: str
    agrees: bool
    rules: tuple[str, ...]


def judge_corpus(corpus: Path) -> Iterator[Judged]:
    """Every message that the index names."""
    expected = json.loads((corpus / INVALID / "EXPECTED.json").read_text("utf-8"))
    for entry in json.loads((corpus / "index.json").read_text("utf-8")):
        wanted = expected.get(entry["path"].removeprefix(f"{INVALID}/"), {}).get("expected", [])
        for line in read_entry(corpus / entry["path"], entry["kind"]):
            yield judge_line(entry, wanted, line)


def read_entry(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The verdicts on one message. Those in JSON are templates: their times are written `date:now +5 minutes`."""
    if kind != "json":
        yield from check_files([path])
        return
    filled = MOMENT.sub(
        lambda found: (NOON + timedelta(**{f"{found[2]}s": int(found[1])})).isoformat(), path.read_text("utf-8")
    )
    for index, verdict in enumerate(read_alerts(filled.encode())):
        yield {"index": index, **as_line(verdict)}


def judge_line(entry: dict[str, Any], wanted: list[dict[str, str]], line: dict[str, Any]) -> Judged:
    """Whether one verdict fits what is known."""
    known = state_known(entry, wanted, line["index"])
    rules = tuple(dict.fromkeys(problem["rule"] for problem in line["problems"]))
    paths = {problem["path"] for problem in line["problems"]}
    verdict = line["verdict"]
    if known == "faulty by test":
        agrees = verdict != "accept" and all(fault["xpath"] in paths for fault in wanted)
    elif known == "sound":
        agrees = verdict == "accept" or (verdict == "hold" and bool(FOUNDED & set(rules)))
    elif known == "empty polygon":
        agrees = verdict != "refuse" and "POLYGON_EMPTY" in rules
    elif known == "no geometry":
        agrees = verdict == "hold" and "AREA_BY_CODE" in rules
    elif known == "no alert inside":
        agrees = verdict == "refuse" and bool(NOT_READ & set(rules))
    else:
        agrees = verdict == "refuse" if known in {"not well formed", "DOCTYPE"} else verdict != "accept"
    return Judged(entry["path"], line["index"], known, verdict, agrees, rules)


def state_known(entry: dict[str, Any], wanted: list[dict[str, str]], index: int) -> str:
    """What the index and the expectations say of one message."""
    if wanted:
        return "faulty by test"
    if entry["kind"] == "not-wellformed":
        return "not well formed"
    if entry["doctype"]:
        return "DOCTYPE"
    if entry["kind"] == "json":
        return "no geometry"
    if index >= len(entry.get("alerts", ())):
        return "no alert inside"
    alert = entry["alerts"][index]
    if alert["geom"]:
        return "empty polygon" if alert["geom"] == ["empty"] else "faulty geometry"
    return {True: "sound", False: "against the schema", None: "strange namespace"}[alert["xsd"]]


def main() -> int:
    """0 if every verdict fits."""
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    if not (corpus / "index.json").is_file():
        print(f"no corpus at {corpus}: skipped")
        return 0
    judged = list(judge_corpus(corpus))
    table = Counter((one.known, one.verdict) for one in judged)
    print(f"{'known':20} {'accept':>8} {'hold':>8} {'refuse':>8} {'agree':>8}")
    for known in dict.fromkeys(one.known for one in judged):
        mine = [one for one in judged if one.known == known]
        counts = " ".join(f"{table[known, verdict]:8}" for verdict in ("accept", "hold", "refuse"))
        print(f"{known:20} {counts} {sum(one.agrees for one in mine):4}/{len(mine)}")
    for one in judged:
        if not one.agrees:
            print(f"differs: {one.file}[{one.number}] {one.known}: {one.verdict} {' '.join(one.rules)}")
    agreed = sum(one.agrees for one in judged)
    print(f"{agreed} of {len(judged)} agree ({agreed / len(judged):.1%})")
    return 0 if agreed == len(judged) else 1


if __name__ == "__main__":
    sys.exit(main())
