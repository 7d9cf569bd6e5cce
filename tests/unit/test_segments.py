"""How many short messages a text is."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnhub.plan.segments import Segments, billed_segments, count_segments, first_segment, split_segments

CASES = json.loads((Path(__file__).parent / "fixtures" / "segments.json").read_text("utf-8"))
VECTORS = Path(__file__).parents[3] / "shared/data/channel_samples/_vectors/sms_segments.json"
MIXED = st.text(st.sampled_from("ab€[暴雨😀“ \n"), max_size=400)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['encoding']}-{case['units']}")
def test_counted(case: dict[str, object]) -> None:
    """The borders of each alphabet, characters of two units among them."""
    text = "".join(one * times for one, times in case["runs"])  # type: ignore[attr-defined]
    assert count_segments(text) == Segments(case["encoding"], case["units"], case["count"])  # type: ignore[arg-type]


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
def test_shared_vectors() -> None:
    """All of the vectors, as they came."""
    for case in json.loads(VECTORS.read_text("utf-8"))["cases"]:
        expected = Segments(case["encoding"], case["units"], case["segments"])
        assert count_segments(case["text"]) == expected, case["text"][:20]


@pytest.mark.parametrize(
    ("text", "signature", "count"),
    [
        ("", "", 0),
        ("雨" * 64, "云岭应急", 1),
        ("雨" * 65, "云岭应急", 2),
        ("雨" * 128, "云岭应急", 2),
        ("雨" * 129, "云岭应急", 3),
    ],
)
def test_billed_with_signature(text: str, signature: str, count: int) -> None:
    """China bills the signature and its brackets with the text: 70, then 67 each."""
    assert billed_segments(text, signature).count == count


def test_billed_latin() -> None:
    """Latin letters are billed like characters in China, whatever the air carries."""
    assert billed_segments("a" * 100).count == 2
    assert count_segments("a" * 100).count == 1


def test_first_segment() -> None:
    """All of a short text; 67 characters of a long one, signature included; never half a character."""
    assert first_segment("暴雨" * 35) == "暴雨" * 35
    assert first_segment("【云岭应急】" + "雨" * 70) == "【云岭应急】" + "雨" * 61
    assert first_segment("雨" * 66 + "😀雨雨雨雨") == "雨" * 66
    assert first_segment("a" * 152 + "€" + "b" * 10) == "a" * 152
    assert first_segment("") == ""


@given(st.one_of(MIXED, st.text()))
def test_parts_are_the_text(text: str) -> None:
    """The parts joined are the text, none is over its room, and their number is the count."""
    found = count_segments(text)
    parts = list(split_segments(text))
    assert "".join(parts) == text
    assert len(parts) == found.count
    room = 160 if found.encoding == "GSM-7" else 70
    for part in parts:
        units = len(part) + sum(one in "^{}\\[~]|€\f" for one in part) if found.encoding == "GSM-7" else utf16(part)
        assert 0 < units <= (room if found.count == 1 else room - (7 if found.encoding == "GSM-7" else 3))


@given(MIXED, MIXED)
def test_more_text_is_never_less(text: str, more: str) -> None:
    """A longer text is never fewer messages, here or on the bill, nor fewer than its characters need."""
    assert count_segments(text + more).count >= count_segments(text).count
    assert billed_segments(text + more).count >= billed_segments(text).count
    assert count_segments(text).count >= -(-len(text) // 160)


def utf16(text: str) -> int:
    """UTF-16 code units, counted by the codec."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2
