"""The text gate: plain words out of whatever came."""

import time

import pytest
from alertdocs import rules

from warnhub.ingest.findings import Findings
from warnhub.ingest.text import clean_text, plain_text
from warnhub.port import LINK


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("水位<5米,雨量>100毫米 & 持续", "水位<5米,雨量>100毫米 & 持续"),
        ("<p>请转移</p><p>带好证件</p>", "请转移\n\n带好证件"),
        ("一<br>二<br/>三", "一\n二\n三"),
        ("雨量<b>大</b>", "雨量大"),
        ("A &amp; B", "A & B"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("&lt;b&gt; stays", "<b> stays"),
        ("R&D and AT&T; x&copy=2", "R&D and AT&T; x&copy=2"),
        ('<a href="http://x/?a=1&copy=2">看这里</a>', "看这里"),
        ("<custom-tag kind='x'>内容</custom-tag>", "内容"),
        ("前<script>alert(1)</script><style>p{}</style>后", "前后"),
        ("a<!-- hidden -->b", "ab"),
        ("<br>&nbsp;<br>z", "z"),
        ("  多  个\t空格\u3000这里 ", "多 个 空格 这里"),
        ("一\r\n二\r三\u2028四", "一\n二\n三\n四"),
        ("一\n\n\n\n二", "一\n\n二"),
        ("", ""),
    ],
)
def test_plain(raw: str, plain: str) -> None:
    assert plain_text(raw) == plain


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u2066", "\u200b", "\ufeff", "\x07", "\x00", LINK, "\uf8ff", "\U000f0000", "\ufffe", "\U000e0041"]
)
def test_hidden_characters_go(hidden: str) -> None:
    findings = Findings()
    assert clean_text(f"请{hidden}转移", "/d", findings) == "请转移"
    assert rules(findings) == ["TEXT_CLEANED"]
    assert f"U+{ord(hidden):04X}" in findings.problems[0].value


def test_a_private_character_written_as_an_entity_goes_too() -> None:
    assert clean_text("a&#xE000;b", "/d", Findings()) == "ab"
    assert clean_text("<i>a&#xE000;b</i>", "/d", Findings()) == "ab"


def test_joiners_of_other_scripts_stay() -> None:
    assert plain_text("က\u200cခ\u200d") == "က\u200cခ\u200d"


def test_one_line() -> None:
    assert clean_text("暴雨\n红色\t预警<br>", "/h", Findings(), lines=False) == "暴雨 红色 预警"


def test_markup_is_noted() -> None:
    findings = Findings()
    clean_text("<b>x</b>", "/d", findings)
    assert rules(findings) == ["HTML_REMOVED"]


def test_too_long_is_cut_and_held() -> None:
    findings = Findings()
    cut = clean_text("雨" * 30, "/d", findings, most=10)
    assert cut == "雨" * 9 + "…"
    assert rules(findings) == ["TEXT_TOO_LONG"]


@pytest.mark.parametrize("flood", ["<!--", "<a ", "<b>", "<![CDATA[", "&lt;", "</p>", "<p>", "\ue000x", "<script>"])
def test_floods_are_quick(flood: str) -> None:
    started = time.process_time()
    clean_text(flood * 500_000, "/d", Findings())
    assert time.process_time() - started < 3
