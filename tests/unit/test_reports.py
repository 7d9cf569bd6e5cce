"""Reports: quarters by the county's clock, figures that add up, a seal that a change breaks, cells that are no formulas."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from warnhub.console.reports import plain_cell
from warnhub.console.strings import catalogue
from warnhub.crypto import KeyRing, make_key
from warnhub.monitor.report import STAGES, Figure, Report, funnel_figures, quarter_bounds, quarter_of, seal_digest
from warnhub.monitor.summary import Funnel

ZONE = ZoneInfo("Asia/Shanghai")


def test_a_quarter_begins_at_midnight_in_the_county() -> None:
    begin, end = quarter_bounds("2026Q2", ZONE)
    assert datetime.fromtimestamp(begin / 1000, UTC).isoformat() == "2026-03-31T16:00:00+00:00"
    assert datetime.fromtimestamp(end / 1000, UTC).isoformat() == "2026-06-30T16:00:00+00:00"
    assert quarter_bounds("2026Q4", ZONE)[1] == quarter_bounds("2027Q1", ZONE)[0]
    assert (quarter_of(begin, ZONE), quarter_of(begin - 1, ZONE)) == ("2026Q2", "2026Q1")


@pytest.mark.parametrize("strange", ["2026", "2026Q5", "26Q1", "Q1", "2026Q", ""])
def test_what_is_no_quarter_is_refused(strange: str) -> None:
    with pytest.raises(ValueError, match="is not a quarter"):
        quarter_bounds(strange, ZONE)


def test_a_change_breaks_the_seal_and_another_desk_has_another() -> None:
    keys = KeyRing(make_key())
    report = Report("warning", "wa_1", "暴雨", 0, {}, [Figure("delivered", 90, 100)])
    digest, seal = report.seal(keys)
    assert seal == seal_digest(keys, digest)
    report.figures[0] = Figure("delivered", 91, 100)
    changed, _ = report.seal(keys)
    assert seal_digest(keys, changed) != seal
    assert seal_digest(KeyRing(make_key()), digest) != seal


def test_every_figure_has_a_name_and_a_definition() -> None:
    funnel = Funnel(total=10, accepted=6, delivered=5, read=2, confirmed=1, failed=1, unknown=1, suppressed=1, remaining=1)
    figures = {figure.key: figure.value for figure in funnel_figures(funnel)}
    assert figures["total"] == sum(
        figures[key] for key in ("accepted", "failed", "unknown", "suppressed", "stopped", "remaining")
    )
    for stage in STAGES:
        assert f"figure.{stage}" in catalogue("zh")
        assert f"define.{stage}" in catalogue("en")


@pytest.mark.parametrize("cell", ["=1+1", "+86", "-2", "@SUM(A1)", "\tx"])
def test_a_cell_is_never_a_formula(cell: str) -> None:
    assert plain_cell(cell) == f"'{cell}"
    assert plain_cell("云溪镇") == "云溪镇"
    assert plain_cell(-5) == -5
