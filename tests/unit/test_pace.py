"""Pictures over time, and places on a map."""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from warnhub.console.maps import Frame, Score
from warnhub.console.pace import BARS, make_pace

COUNTS = st.lists(
    st.tuples(st.sampled_from(["sms", "wechat", "push"]), st.integers(0, 90_000), st.integers(1, 500)), max_size=60
)


@given(COUNTS)
def test_every_message_is_in_one_bar_and_no_bar_is_higher_than_the_picture(counts: list[tuple[str, int, int]]) -> None:
    pace = make_pace(counts, 0)
    if pace is None:
        assert not counts
        return
    assert sum(n for bar in pace.bars for _, n, _, _ in bar.parts) == sum(n for *_, n in counts)
    assert len(pace.bars) <= BARS
    assert max(sum(n for _, n, _, _ in bar.parts) for bar in pace.bars) == pace.peak
    assert all(top >= -0.6 and top + height <= 100.6 for bar in pace.bars for _, _, top, height in bar.parts)


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        (Score(), "none"),
        (Score(14, 0), "c0"),
        (Score(14, 6), "c1"),
        (Score(14, 7), "c2"),
        (Score(100, 90), "c3"),
        (Score(100, 99), "c3"),
        (Score(100, 100), "c4"),
    ],
)
def test_a_place_is_full_only_when_all_have_confirmed(score: Score, grade: str) -> None:
    assert score.grade == grade


def test_north_is_up_and_a_circle_stays_round() -> None:
    spot = shapely.Point(117, 26)
    box = (116.9, 25.9, 117.1, 26.1)
    frame = Frame.around(box)
    x, y = frame.place(spot.x, spot.y)
    assert frame.place(117, 26.05)[1] < y
    assert frame.place(117.05, 26)[0] > x
    east = frame.place(117.05, 26)[0] - x
    north = y - frame.place(117, 26.05)[1]
    assert east / north == pytest.approx(0.8988, abs=0.02), "a degree of longitude is shorter at 26° north"
    assert frame.draw(shapely.box(*box)).startswith("M")
