"""What pages are made of: figures, words, colours, limits, and the judgement of what came back from a field page."""

import re
from importlib.resources import files
from itertools import pairwise
from types import SimpleNamespace

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from starlette.requests import Request

from warnhub.alert import Level
from warnhub.channels import Provider
from warnhub.console import figures
from warnhub.console.answer import TRAP, judge_answer, read_form
from warnhub.console.assets import asset_name, choose_coding, serve_asset
from warnhub.console.doors import inside
from warnhub.console.leaf import clip_bytes
from warnhub.console.masks import mask, unmask
from warnhub.console.origin import origin_of
from warnhub.console.scanners import is_machine, looks_ahead
from warnhub.console.shapes import NUMERALS, SHAPES
from warnhub.console.strings import LANGUAGES, catalogue, has_words, say
from warnhub.console.throttle import KEPT, Guesses, Recent, Window
from warnhub.console.timeline import PERSONAL, fold_events
from warnhub.feedback.acks import CHOICES, Evidence
from warnhub.forecast import carried, share_out, tariffs
from warnhub.monitor.summary import Funnel
from warnhub.plan.policy import Confirm, Rule
from warnhub.port import ChannelSettings, Reason, State
from warnhub.roles import Role
from warnhub.store.census import Reach
from warnhub.store.tallies import BUCKETS, ENDLESS
from warnhub.store.users import ROLES
from warnhub.testing import Outbox

CONSOLE = files("warnhub.console")
TEMPLATES = {
    path.name: path.read_text("utf-8")
    for folder in ("templates", "templates/parts")
    for path in CONSOLE.joinpath(folder).iterdir()
    if path.name.endswith(".html")
}
STYLE = CONSOLE.joinpath("static/console.css").read_text("utf-8")


# figures


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_percentage_is_all_only_for_all_and_none_only_for_none(part: int, whole: int) -> None:
    part = min(part, whole)
    shown = figures.percent(part, whole)
    assert (shown == "100%") == (part == whole > 0)
    assert (shown == "0%") == (part == 0 or whole == 0)
    if shown[0].isdigit() and whole:
        assert float(shown[:-1]) <= 100 * part / whole + 1e-9


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(9_999, 10_000, "99.9%"), (1, 10_000, "<0.1%"), (1, 3, "33.3%"), (0, 0, "0%")]
)
def test_percentages_are_cut(part: int, whole: int, shown: str) -> None:
    assert figures.percent(part, whole) == shown


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [(0, "0 秒", "0 s"), (59.6, "1 分", "1 min"), (200, "3 分 20 秒", "3 min 20 s"), (7_325, "2 小时 2 分", "2 h 2 min")],
)
def test_spans_have_two_units(seconds: float, zh: str, en: str) -> None:
    assert (figures.span(seconds, "zh"), figures.span(seconds, "en")) == (zh, en)


@given(st.dictionaries(st.sampled_from([*BUCKETS, ENDLESS]), st.integers(0, 50)), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_the_bound_of_the_bucket_that_holds_it(buckets: dict[int, int], share: float) -> None:
    values = sorted(bound for bound, n in buckets.items() for _ in range(n))
    found = figures.quantile(buckets, share)
    if not values:
        assert found is None
    else:
        assert found is not None
        assert sum(value <= found for value in values) >= share * len(values)
        assert sum(value < found for value in values) < share * len(values)


def test_a_bound_never_says_more_than_is_known() -> None:
    assert figures.bound(30, "zh") == "≤ 30 秒"
    assert figures.bound(ENDLESS, "en") == "> 24 h"
    assert figures.bound(None, "zh") == "–"


@given(st.lists(st.integers(0, 10**6), min_size=6, max_size=6))
def test_bars_beside_each_other_fill_the_bar(parts: list[int]) -> None:
    accepted, *beside = parts
    names = dict(zip(("remaining", "unknown", "failed", "suppressed", "stopped"), beside, strict=True))
    bars = figures.beside_bars(Funnel(total=sum(parts), accepted=accepted, **names))
    assert len(bars) == sum(part > 0 for part in parts)
    assert all(width >= 3 for _, _, width in bars)
    for (_, start, width), (_, following, _) in pairwise(bars):
        assert following == pytest.approx(start + width, abs=0.11)
    if bars:
        assert 999 <= bars[-1][1] + bars[-1][2] <= 1_000 + 3 * len(bars)


def test_nested_bars_shrink() -> None:
    bars = figures.nested_bars(Funnel(total=200, accepted=150, delivered=100, read=50, confirmed=0))
    assert bars == [("accepted", 750.0), ("delivered", 500.0), ("read", 250.0), ("confirmed", 0.0)]


# words


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_catalogues_are_read_whole(lang: str) -> None:
    words = catalogue(lang)
    assert len(words) > 250
    assert words.keys() == catalogue(LANGUAGES[0]).keys()


def used_keys() -> set[str]:
    """Every whole key that a template asks for."""
    return {key for source in TEMPLATES.values() for key in re.findall(r'\bt\("([\w.]+)"[),]', source)}


def test_every_key_of_a_template_is_in_the_table() -> None:
    assert used_keys() <= catalogue("zh").keys()
    assert len(used_keys()) > 80


@pytest.mark.parametrize(
    ("stem", "names"),
    [
        ("level", [level.value for level in Level]),
        ("rank", [level.value for level in Level]),
        ("role", list(ROLES)),
        ("state", ["pending", "released", "rejected", "superseded", "cancelled", "expired"]),
        ("delivery", [state.value for state in State]),
        ("choice", list(CHOICES)),
        ("evidence", [evidence.value for evidence in Evidence]),
        ("reason", [reason.value for reason in Reason]),
        ("stage", [name for name in Funnel.model_fields]),
        ("hop", ["handed", "delivered", "confirmed"]),
        ("channel", ["sms", "wechat", "push", "loudspeaker"]),
        ("event", [*PERSONAL, "made", "released", "approved", "planned", "rejected", "repeated", "resolved", "silenced"]),
        ("login", ["wrong", "wait", "stale"]),
    ],
)
def test_every_name_there_is_has_words(stem: str, names: list[str]) -> None:
    missing = [name for name in names if not has_words(f"{stem}.{name}")]
    assert missing == []


def test_a_string_is_filled_in() -> None:
    assert say("until", "zh", at="6月12日") == "有效至 6月12日"
    with pytest.raises(KeyError):
        say("no such key", "en")


# what a page may hold


def test_no_page_has_a_script_or_a_style_of_its_own_or_asks_another_host() -> None:
    for name, source in TEMPLATES.items():
        if name in {"field.html", "stray.html"}:
            continue
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", source), name
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', source), name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", source)), name
        assert "|safe" not in source, name
    assert not re.search(r"url\(|@import|https?://", STYLE)


def test_every_form_that_posts_has_its_token() -> None:
    for name, source in TEMPLATES.items():
        for form in re.findall(r'<form method="post".*?</form>', source, re.S):
            assert "csrf" in form or name in {"login.html", "field.html"}, name


def palette(dark: bool) -> dict[str, str]:
    """The colours of one mode."""
    light, _, rest = STYLE.partition("@media screen and (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", rest.partition("* {")[0])) if dark else {})


def test_the_night_is_the_same_whether_the_screen_or_the_officer_asks_for_it() -> None:
    _, _, rest = STYLE.partition(":root:not([data-theme=light]) {")
    asked, chosen = rest.partition("}")[0], rest.partition("data-theme=dark] { color-scheme: dark;")[2].partition("}")[0]
    assert asked.split() == chosen.split() != []


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    digits = colour.lstrip("#")
    full = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(full[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


PAIRS = [
    *[(ink, ground) for ink in ("ink", "soft", "deep") for ground in ("card", "paper", "wash")],
    *[(ink, "card") for ink in ("good", "warn", "bad")],
    *[(name, f"{name}-wash") for name in ("good", "warn", "bad")],
    *[(f"on-{name}", name) for name in ("red", "orange", "yellow", "blue", "clear")],
    ("deep-ink", "deep"),
    ("ink", "warn-wash"),
    ("ink", "bad-wash"),
]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read(ink: str, ground: str, dark: bool) -> None:
    colours = palette(dark)
    assert contrast(colours[ink], colours[ground]) >= 4.5


def test_each_level_has_a_shape_and_a_numeral_of_its_own() -> None:
    levels = {level.value for level in Level}
    assert set(SHAPES) == set(NUMERALS) == levels
    assert len(set(SHAPES.values())) == len(set(NUMERALS.values())) == 4


def test_assets_are_named_by_what_is_in_them() -> None:
    name = asset_name("console.css")
    assert re.fullmatch(r"console\.[0-9a-f]{10}\.css", name)
    response = serve_asset(name)
    assert response
    assert response.body == STYLE.encode()
    assert "immutable" in response.headers["cache-control"]
    small = serve_asset(name, "gzip, br;q=1")
    assert small
    assert small.headers["content-encoding"] == "br"
    assert brotli.decompress(small.body) == STYLE.encode()
    assert len(small.body) < 12_000
    assert choose_coding("gzip, br;q=0") == "gzip"
    assert choose_coding("identity") == ""
    for strange in ("console.css", "../hub.py", "console.0000000000.css", ""):
        assert serve_asset(strange) is None


@given(st.text("abcXYZ012-_", min_size=1, max_size=60))
def test_a_masked_token_opens_to_itself_and_never_looks_the_same(token: str) -> None:
    assert unmask(mask(token)) == token
    assert len(token) < 8 or mask(token) != mask(token)
    for strange in (token, f"{token}.", "00.é", "ff.ff00", ""):
        assert unmask(strange) in {"", token} - {token}


# doors


@pytest.mark.parametrize("path", ["/warnings/wa_1", "/warnings/wa_1?lang=en"])
def test_a_path_inside_is_kept(path: str) -> None:
    assert inside(path) == path


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil", "evil", "/a\nb", "/" + "a" * 300, ""])
def test_a_path_that_leads_elsewhere_is_not(path: str) -> None:
    assert inside(path) == ""


class Hand:
    """A clock that is set by hand, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_window_opens_again() -> None:
    hand = Hand()
    window = Window(2, 60, hand)
    window.mark("a")
    hand.now = 10
    window.mark("a")
    assert window.full("a")
    assert window.wait("a") == 50
    assert not window.full("b")
    hand.now = 60
    assert not window.full("a")
    assert window.wait("a") == 0


def test_limits_do_not_grow_without_end() -> None:
    window, recent = Window(1, 60), Recent(3)
    for number in range(KEPT + 10):
        window.mark(number)
        recent.add(number)
    assert len(window.marks) == KEPT
    assert list(recent.kept) == [KEPT + 7, KEPT + 8, KEPT + 9]


def test_guesses_are_limited_by_name_wherever_they_come_from() -> None:
    guesses = Guesses(Hand())
    for number in range(8):
        assert guesses.wait("wang", f"10.0.0.{number}") == 0
        guesses.miss("wang", f"10.0.0.{number}")
    assert guesses.wait("wang", "10.0.0.99") > 0
    assert guesses.wait("li", "10.0.0.99") == 0


def test_guesses_are_limited_by_address_whatever_the_names() -> None:
    guesses = Guesses(Hand())
    for number in range(40):
        guesses.miss(f"user{number}", "10.0.0.1")
    assert guesses.wait("somebody", "10.0.0.1") > 0
    assert guesses.wait("somebody", "10.0.0.2") == 0


def test_a_stranger_cannot_lock_an_officer_out_of_the_desk() -> None:
    hand = Hand()
    guesses = Guesses(hand)
    guesses.hit("wang", "10.0.0.7")
    for _ in range(20):
        guesses.miss("wang", "10.6.6.6")
    assert guesses.wait("wang", "10.6.6.6") > 0
    assert guesses.wait("wang", "10.0.0.7") == 0
    for _ in range(8):
        guesses.miss("wang", "10.0.0.7")
    assert guesses.wait("wang", "10.0.0.7") > 0
    hand.now = 901
    assert guesses.wait("wang", "10.6.6.6") == 0


# field pages

PHONES = [
    "Mozilla/5.0 (Linux; Android 12; V2166A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.42",
    "Mozilla/5.0 (Linux; U; Android 10; zh-cn; CUBOT X30) AppleWebKit/537.36 MQQBrowser/12.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 8.1; HONOR) AppleWebKit/537.36 Version/4.0 Chrome/70.0 Mobile Safari/537.36 UCBrowser/13.4",
    "Nokia6120c/3.70 (SymbianOS/9.2; Series60/3.1)",
]
MACHINES = [
    "",
    "facebookexternalhit/1.1",
    "Mozilla/5.0 (Linux; Android 6.0.1) Chrome/116.0 Mobile Safari/537.36 (compatible; Googlebot/2.1)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0",
    "curl/8.5.0",
    "Go-http-client/1.1",
    "SomethingNew-LinkPreview preview/1.0",
    "AcmeBot",
]


@pytest.mark.parametrize("agent", PHONES)
def test_a_telephone_is_no_machine(agent: str) -> None:
    assert not is_machine(agent)


@pytest.mark.parametrize("agent", MACHINES)
def test_a_machine_is_one(agent: str) -> None:
    assert is_machine(agent)


def test_looking_ahead_is_seen() -> None:
    assert looks_ahead({"sec-purpose": "prefetch;prerender"})
    assert looks_ahead({"x-moz": "prefetch"})
    assert not looks_ahead({"accept": "text/html"})


@pytest.mark.parametrize(
    ("body", "age", "trouble", "machine"),
    [
        ("choice=received", 2, "", False),
        ("choice=received", 86_400, "", False),
        ("choice=received", 86_401, "old", False),
        ("choice=received", 1, "fast", True),
        ("choice=received", -5, "nonce", True),
        ("choice=received", None, "nonce", True),
        ("choice=", 60, "choice", False),
        ("", 60, "choice", False),
        ("choice=received&choice=received", 60, "choice", False),
        ("choice=maybe", 60, "choice", False),
        (f"choice=received&{TRAP}=x", 60, "trap", True),
        ("&".join("a=1" for _ in range(30)) + "&choice=received", 60, "choice", False),
    ],
)
def test_only_one_deliberate_choice_is_an_answer(body: str, age: int | None, trouble: str, machine: bool) -> None:
    answer = judge_answer(read_form(body.encode()), age, PHONES[0])
    assert (answer.trouble, answer.machine) == (trouble, machine)
    assert bool(answer.choice) == (trouble == "")


def test_what_a_person_writes_is_kept_short_and_on_one_line() -> None:
    form = read_form(b"choice=help&text=%E8%88%B9\r\n%0A+%E5%BF%AB" + b"x" * 300)
    answer = judge_answer(form, 60, PHONES[0])
    assert answer.text.startswith("船 快")
    assert len(answer.text) == 120


def test_bytes_that_are_no_text_are_no_form() -> None:
    assert read_form(b"\xff\xfe=1") == {}


@given(st.text(max_size=200), st.integers(10, 300))
def test_clipped_text_keeps_its_size_on_the_page(text: str, most: int) -> None:
    clipped = clip_bytes(text, most)
    assert len(str(escape(clipped)).encode()) <= most
    assert clipped == text or clipped.endswith("…")


# timeline and forecast


def happened(number: int, at: int, kind: str, data: str, name: str | None = None) -> SimpleNamespace:
    """A row of events, the newest first."""
    return SimpleNamespace(id=number, at=at, kind=kind, actor="policy", data=data, name=name)


def test_the_same_thing_to_many_is_one_line() -> None:
    step = '{"step": "deputy", "round": 2}'
    rows = [
        happened(9, 100_000, "escalated", step, "王"),
        happened(8, 99_900, "answer", '{"choice": "help"}', "李"),
        happened(7, 99_800, "escalated", step, "赵"),
        happened(6, 99_700, "escalated", '{"step": "superior"}', "钱"),
        happened(5, 50_000, "escalated", step, "孙"),
        happened(1, 1_000, "released", "{}"),
    ]
    lines = fold_events(rows)
    assert [(line.kind, line.people) for line in lines] == [
        ("escalated", 2), ("answer", 1), ("escalated", 1), ("escalated", 1), ("released", 0)
    ]  # fmt: skip
    assert lines[0].words("zh") == "超时未应，通知副手"
    assert lines[1].words("en") == "Needs help"


def test_an_unknown_event_is_shown_by_its_name() -> None:
    assert fold_events([happened(1, 1, "new kind", "{}")])[0].words("zh") == "new kind"


def rule(mode: str, channels: list[str], confirm: bool = False) -> Rule:
    """A rule for somebody."""
    given = Confirm(within="3m") if confirm else None
    role = "gridworker" if confirm else "resident"
    return Rule(levels="red", roles=role, channels=channels, mode=mode, confirm=given, reason="a test")


def test_a_forecast_counts_each_person_once_and_each_message() -> None:
    rules = {Role.GRIDWORKER: rule("all", ["sms", "wechat"], confirm=True), Role.RESIDENT: rule("first", ["sms", "push"])}
    reach = [
        Reach("gridworker", frozenset({"sms", "wechat"}), 10),
        Reach("gridworker", frozenset({"wechat"}), 2),
        Reach("resident", frozenset({"sms", "push"}), 100),
        Reach("resident", frozenset({"push"}), 5),
        Reach("resident", frozenset(), 7),
        Reach("leader", frozenset({"sms"}), 3),
    ]
    shares, counts = share_out(rules, reach)
    assert [(share.role, share.people, share.missed, share.within) for share in shares] == [
        (Role.GRIDWORKER, 12, 0, 180), (Role.RESIDENT, 105, 7, 0)
    ]  # fmt: skip
    assert counts == {
        (Role.GRIDWORKER, "sms"): 10, (Role.GRIDWORKER, "wechat"): 12, (Role.RESIDENT, "sms"): 100, (Role.RESIDENT, "push"): 5
    }  # fmt: skip


def test_who_has_no_channel_of_the_rule_is_missed() -> None:
    shares, counts = share_out({Role.RESIDENT: rule("all", ["sms"])}, [Reach("resident", frozenset({"push"}), 9)])
    assert not counts
    assert (shares[0].people, shares[0].missed, shares[0].channels) == (0, 9, ())


def test_what_providers_carry_between_them() -> None:
    def made(name: str, *routes: str) -> Provider:
        return Provider(name, name.partition(".")[0], Outbox(), ChannelSettings(rate=10, routes=routes))

    some = [made("sms.a", "cn"), made("sms.b", "intl"), made("push.a", "jpush"), made("push.b"), made("wechat.a")]
    providers = {provider.name: provider for provider in some}
    assert carried(providers) == {"sms": ("cn", "intl"), "push": (), "wechat": ()}
    assert {channel: tariff.rate for channel, tariff in tariffs(providers, {}).items()} == {"sms": 20, "push": 20, "wechat": 10}


# where a request comes from


@pytest.mark.parametrize(
    ("peer", "said", "origin"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4", "198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::9]:443"], "2001:db8::9"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.1"),
        ("unix", ["198.51.100.1"], "unix"),
    ],
)
def test_a_proxy_of_ours_is_believed_and_nobody_else(peer: str, said: list[str], origin: str) -> None:
    headers = [(b"x-forwarded-for", line.encode()) for line in said]
    request = Request({"type": "http", "client": (peer, 4711), "headers": headers})
    assert origin_of(request, ("10.0.0.0/8",)) == origin
    assert origin_of(request, ()) == peer
