"""The console's words: what the check of the catalogues finds, and that ours pass it."""

import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import catalogues


def test_the_catalogues_are_complete() -> None:
    assert catalogues.check() == []


@pytest.mark.parametrize(
    ("zh", "en", "why"),
    [
        ("放行", "", "is empty"),
        ("{n} 人", "people", "the places to fill in differ"),
        ("放行", "放行", "there is Chinese in the English"),
        ("请看,再选", "look, then choose", "Chinese takes its own punctuation"),
    ],
)
def test_what_is_wrong_is_said(zh: str, en: str, why: str) -> None:
    assert catalogues.judge(zh, en) == [why]


def test_what_is_fuzzy_does_not_count() -> None:
    book = Catalog()
    book.add("act.release", "放行", flags=["fuzzy"])
    book.add("act.reject", "驳回")
    assert catalogues.messages({"console.po": book}) == {"act.reject": "驳回"}
