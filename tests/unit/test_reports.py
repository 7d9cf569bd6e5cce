"""Reports: quarters by the county's clock, figures that add up, a seal that a change breaks, cells that are no formulas."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from warnhub.console.charts import HEIGHT, WIDTH, draw_curve, draw_months
from warnhub.console.exports import plain_cell
from warnhub.console.strings import LANGUAGES, catalogue
from warnhub.console.tables import define, known, share_words
from warnhub.crypto import KeyRing, make_key
from warnhub.monitor.report import (
    COLUMNS,
    STAGES,
    Figure,
    Report,
    Row,
    funnel_figures,
    period_before,
    period_bounds,
    quarter_of,
    seal_digest,
    year_before,
)
from warnhub.monitor.summary import Funnel

ZONE = ZoneInfo("Asia/Shanghai")


def test_a_year_is_its_four_quarters() -> None:
    assert period_bounds("2026", ZONE) == (period_bounds("2026Q1", ZONE)[0], period_bounds("2026Q4", ZONE)[1])
    assert [period_before(one) for one in ("2026", "2026Q1", "2026Q3")] == ["2025", "2025Q4", "2026Q2"]
    assert [year_before(one) for one in ("2026", "2026Q1")] == ["2025", "2025Q1"]


def test_a_quarter_begins_at_midnight_in_the_county() -> None:
    begin, end = period_bounds("2026Q2", ZONE)
    assert datetime.fromtimestamp(begin / 1000, UTC).isoformat() == "2026-03-31T16:00:00+00:00"
    assert datetime.fromtimestamp(end / 1000, UTC).isoformat() == "2026-06-30T16:00:00+00:00"
    assert period_bounds("2026Q4", ZONE)[1] == period_bounds("2027Q1", ZONE)[0]
    assert (quarter_of(begin, ZONE), quarter_of(begin - 1, ZONE)) == ("2026Q2", "2026Q1")


@pytest.mark.parametrize("strange", ["2026Q5", "26Q1", "Q1", "2026Q", "", "0000", "2026q1", "２０２６", "2026Q1 ", "99999"])
def test_what_is_no_quarter_is_refused(strange: str) -> None:
    with pytest.raises(ValueError, match="is not a quarter"):
        period_bounds(strange, ZONE)


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


def test_every_column_has_a_name_and_a_definition_in_both_languages() -> None:
    for table, columns in COLUMNS.items():
        assert f"report.{table}" in catalogue("zh")
        for column in columns:
            assert known(column), f"{column} of {table}"
            assert all(define(column, lang) for lang in LANGUAGES)


def test_a_share_is_never_rounded_up_to_all_or_down_to_none() -> None:
    assert [share_words(share) for share in (1.0, 0.99996, 0.5, 0.57, 0.00001, 0.0)] == [
        "100%", "99.9%", "50.0%", "57.0%", "<0.1%", "0%",
    ]  # fmt: skip


def test_a_curve_rises_with_each_confirmation_and_stops_where_they_stopped() -> None:
    curve = draw_curve([10.0, 20.0, 60.0], 6)
    assert curve is not None
    points = [tuple(map(float, point.split(","))) for point in curve.line.split()]
    assert points[0] == (0.0, HEIGHT)
    assert points[-1] == (WIDTH, HEIGHT / 2), "three of six"
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert (curve.until, curve.confirmed, curve.asked) == (60, 3, 6)
    assert draw_curve([], 6) is None
    assert draw_curve([1.0], 0) is None
    many = draw_curve([float(n) for n in range(1, 5_001)], 5_000)
    assert many is not None
    assert many.line.count(" ") < 700
    assert many.line.endswith("1000,0")


def test_months_stand_on_each_other_to_the_height_of_the_fullest() -> None:
    levels = {"red": 1, "orange": 0, "yellow": 3, "blue": 0}
    first, second = draw_months([Row("2026-04", "", levels), Row("2026-05", "", dict.fromkeys(levels, 0))])
    assert (first.total, second.total) == (4, 0)
    assert sum(height for *_, height in first.parts) == 100
    assert min(top for _, _, top, _ in first.parts) == 0
    assert draw_months([Row("2026-05", "", dict.fromkeys(levels, 0))]) == []
