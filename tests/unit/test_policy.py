"""Policies: what is read, what is refused, which rule counts."""

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from warnhub.alert import Level, Problem
from warnhub.hazards import HazardClass
from warnhub.plan.changes import diff_policies, explain_texts
from warnhub.plan.ladder import Confirm, Step, Who, parse_duration, write_duration
from warnhub.plan.loading import PolicyError, default_policy, default_text, read_policy
from warnhub.plan.policy import (
    ChannelName,
    Policy,
    Quiet,
    Rule,
    find_gaps,
    match_rule,
    quiet_until,
    rules_for,
)
from warnhub.roles import Role

SMALL = """
name: small
zone: Asia/Shanghai
defaults: {mode: first, loudspeaker: {times: 4, volume: 55}}
rules:
  - {hazard_class: geological, levels: blue, roles: resident, channels: [], reason: not for the public}
  - {levels: [blue, yellow], roles: resident, channels: [push, sms], quiet: {from: 22:00, to: 07:00}, reason: by night}
  - levels: "*"
    roles: [gridworker, village_head]
    channels: [sms, wechat]
    mode: all
    repeat: {every: 90s, times: 3}
    confirm: {within: 3m, then: [next_channel, superior]}
    reason: who answers for others
  - {levels: red, roles: speaker, channels: loudspeaker, reason: aloud}
"""


def rule_text(**changes: object) -> str:
    """A policy of one rule with these keys."""
    rule = {"levels": "red", "roles": "resident", "channels": ["sms"], "reason": "because of the rule"} | changes
    return yaml.safe_dump({"name": "one", "rules": [rule]})


def problems(text: str) -> list[tuple[str, str]]:
    """Path and rule of everything a text is refused for."""
    with pytest.raises(PolicyError) as refusal:
        read_policy(text)
    return [(problem.path, problem.rule) for problem in refusal.value.problems]


def test_first_match_counts() -> None:
    """The exception above the general rule wins; what no rule speaks of has none."""
    policy = read_policy(SMALL)
    silent = match_rule(policy, "geological", Level.BLUE, Role.RESIDENT)
    assert silent is policy.rules[0]
    assert match_rule(policy, "geological", Level.YELLOW, Role.RESIDENT) is policy.rules[1]
    assert match_rule(policy, "meteorological", Level.BLUE, Role.RESIDENT) is policy.rules[1]
    assert match_rule(policy, HazardClass.OTHER, Level.RED, Role.RESIDENT) is None
    assert set(rules_for(policy, "geological", Level.BLUE)) == {Role.GRIDWORKER, Role.VILLAGE_HEAD}
    assert list(rules_for(policy, "other", Level.RED)) == [Role.VILLAGE_HEAD, Role.GRIDWORKER, Role.SPEAKER]


def test_defaults_fill_what_is_open() -> None:
    """A rule has the defaults unless it says otherwise; the loudspeaker's only where it is used."""
    policy = read_policy(SMALL)
    assert [rule.mode for rule in policy.rules] == ["first", "first", "all", "first"]
    assert (policy.rules[3].loudspeaker.times, policy.rules[3].loudspeaker.volume) == (4, 55)
    assert policy.rules[2].confirm is not None
    assert [rung.cause for rung in policy.rules[2].confirm.then] == [Step.NEXT_CHANNEL, Step.SUPERIOR]
    assert policy.rules[2].repeat is not None
    assert policy.rules[2].repeat.every == timedelta(seconds=90)


def test_read_again() -> None:
    """What is written out is read back the same."""
    policy = default_policy()
    text = yaml.safe_dump(policy.model_dump(mode="json", by_alias=True), allow_unicode=True)
    assert read_policy(text) == policy


@pytest.mark.parametrize(
    ("changes", "path", "rule"),
    [
        ({"levels": "purple"}, "rules.0.levels.0", "enum"),
        ({"roles": ["resident", "mayor"]}, "rules.0.roles.1", "enum"),
        ({"roles": []}, "rules.0.roles", "too_short"),
        ({"channels": "fax"}, "rules.0.channels.0", "enum"),
        ({"channels": ["sms", "sms"]}, "rules.0.channels", "value_error"),
        ({"hazard_class": "alien"}, "rules.0.hazard_class.0", "enum"),
        ({"mode": "some"}, "rules.0.mode", "literal_error"),
        ({"reason": ""}, "rules.0.reason", "string_too_short"),
        ({"frequency": 3}, "rules.0.frequency", "extra_forbidden"),
        ({"quiet": {"from": "22:00", "to": "07:00"}}, "rules.0", "value_error"),
        ({"levels": "blue", "quiet": {"from": "22:00", "to": "22:00"}}, "rules.0.quiet", "value_error"),
        ({"levels": "blue", "quiet": {"from": "25:00", "to": "22:00"}}, "rules.0.quiet.from", "value_error"),
        ({"confirm": {"within": "3m"}}, "rules.0", "value_error"),
        ({"roles": "gridworker", "confirm": {"within": "soon"}}, "rules.0.confirm.within", "value_error"),
        ({"roles": "gridworker", "confirm": {"within": 180}}, "rules.0.confirm.within", "value_error"),
        ({"roles": "gridworker", "confirm": {"within": "3m", "then": ["pray"]}}, "rules.0.confirm.then.0", "enum"),
        (
            {"roles": "gridworker", "confirm": {"within": "3m", "then": [{"who": "god"}]}},
            "rules.0.confirm.then.0.who.0",
            "enum",
        ),
        (
            {"roles": "gridworker", "confirm": {"within": "3m", "then": [{"who": "self", "times": 0}]}},
            "rules.0.confirm.then.0.times",
            "greater_than_equal",
        ),
        (
            {"roles": "gridworker", "confirm": {"within": "3m", "then": [{"who": "deputy", "door": "true"}]}},
            "rules.0.confirm.then.0",
            "value_error",
        ),
        (
            {"roles": "gridworker", "confirm": {"within": "3m", "then": [{"who": "self", "channels": ["fax"]}]}},
            "rules.0",
            "value_error",
        ),
        ({"repeat": {"every": "0s", "times": 2}}, "rules.0.repeat.every", "value_error"),
        ({"repeat": {"every": "5m", "times": 100}}, "rules.0.repeat.times", "less_than_equal"),
        ({"channels": "loudspeaker", "loudspeaker": {"volume": 200}}, "rules.0.loudspeaker.volume", "less_than_equal"),
        ({"loudspeaker": {"volume": 20}}, "rules.0", "value_error"),
    ],
)
def test_refused_rule(changes: dict[str, object], path: str, rule: str) -> None:
    """Every refusal names where and which rule."""
    found = problems(rule_text(**changes))
    assert [(where.partition(": ")[2], what) for where, what in found] == [(path, rule)]


@pytest.mark.parametrize(
    ("text", "where", "rule"),
    [
        ("name: a\nname: b\nrules: []", "line 2", "duplicate"),
        ("name: a\nrules:\n  - {levels: red,\n     levels: blue}", "line 4", "duplicate"),
        ("a: &x [1]\nb: *x", "line 2", "alias"),
        ("a: !!python/object/apply:os.system [id]", "line 1", "tag"),
        ("[" * 40, "line 1", "depth"),
        ("name: a\nrules: [", "line 2", "yaml"),
        ("name: a\x07", "line 1", "yaml"),
        ("? [a, b]\n: c", "line 1", "key"),
        ("", "line 1", "mapping"),
        ("- a\n- b", "line 1", "mapping"),
        ("x" * 200_001, "", "size"),
    ],
)
def test_refused_text(text: str, where: str, rule: str) -> None:
    """What is not a plain, bounded mapping is refused before any rule is read."""
    assert problems(text) == [(where, rule)]


def test_refused_with_line_and_value() -> None:
    """The line, the place, the rule and the value are all in the message."""
    with pytest.raises(PolicyError, match=r"line 4: zone: .*IANA.* \(Mars/Olympus\)"):
        read_policy("name: x\n\n\nzone: Mars/Olympus\nrules:\n" + rule_text().split("rules:\n")[1])
    twice = SMALL + "  - {levels: red, roles: gridworker, channels: push, reason: too late}\n"
    assert problems(twice) == [(f"line {len(twice.splitlines())}: rules.4", "unreachable")]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a policy or a refusal with its reasons comes out."""
    assert outcome(text)


def outcome(text: str) -> Policy | list[Problem]:
    """The policy, or why it is none."""
    try:
        return read_policy(text)
    except PolicyError as refusal:
        return refusal.problems


def test_words_mean_themselves() -> None:
    """YAML 1.1 would read 22:00 as 1320 and no as false."""
    rule = "{levels: blue, roles: resident, channels: sms, quiet: {from: 22:00, to: 07:00}, reason: null sleep}"
    policy = read_policy(f"name: no\nrules: [{rule}]")
    assert policy.name == "no"
    assert policy.rules[0].quiet is not None
    assert policy.rules[0].quiet.start.hour == 22


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1h30m", 5400), ("168h", 604_800)])
def test_durations(text: str, seconds: int) -> None:
    """Read in seconds, and written back the shortest way."""
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(write_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5m", "m", "0s", "169h", "5m3h", "٥m", 5, None, True])
def test_not_durations(text: object) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)


def quiet_rule(start: str, end: str) -> Rule:
    """A blue rule with quiet hours."""
    text = rule_text(levels="blue", quiet={"from": start, "to": end})
    return read_policy(text).rules[0]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-06-12T21:59:59+08:00", None),
        ("2026-06-12T22:00:00+08:00", "2026-06-13T07:00:00+08:00"),
        ("2026-06-13T00:30:00+08:00", "2026-06-13T07:00:00+08:00"),
        ("2026-06-12T17:30:00+00:00", "2026-06-13T07:00:00+08:00"),
        ("2026-06-13T07:00:00+08:00", None),
    ],
)
def test_quiet_hours(now: str, until: str | None) -> None:
    """Local hours over midnight; the end is no longer quiet; the answer is UTC."""
    found = quiet_until(quiet_rule("22:00", "07:00"), datetime.fromisoformat(now), "Asia/Shanghai")
    assert found == (datetime.fromisoformat(until) if until else None)
    assert found is None or found.tzinfo is UTC


def test_quiet_needs_awareness() -> None:
    """A naive time is a mistake, and a rule without quiet hours is never quiet."""
    with pytest.raises(ValueError, match="aware"):
        quiet_until(quiet_rule("22:00", "07:00"), datetime(2026, 6, 12, 23), "Asia/Shanghai")
    assert quiet_until(read_policy(rule_text()).rules[0], datetime.now(UTC), "Asia/Shanghai") is None


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_quiet_ends(now: datetime, start: object, end: object, zone: str) -> None:
    """Wherever clocks change: the end lies ahead, within a day and a shift, and is not quiet itself."""
    if start == end:
        return
    rule = quiet_rule("22:00", "07:00").model_copy(update={"quiet": Quiet(start=start, end=end)})
    until = quiet_until(rule, now, ZoneInfo(zone))
    if until is not None:
        assert now < until <= now + timedelta(hours=26)


def test_release() -> None:
    """The green channel for certified agencies, two people for red without it, one otherwise."""
    release = default_policy().release
    assert [release.people_needed(level, certified=True) for level in Level] == [0, 0, 1, 1]
    assert [release.people_needed(level, certified=False) for level in Level] == [2, 1, 1, 1]
    assert release.people_needed(Level.ORANGE, certified=True, green=Level.RED) == 1
    never = read_policy("release: {green: never, two: never}\n" + rule_text()).release
    assert [never.people_needed(level, certified=True) for level in Level] == [1, 1, 1, 1]


class TestDefault:
    """The policy WarnHub comes with."""

    def test_whole(self) -> None:
        """It speaks of every case, and every rule says why."""
        assert find_gaps(default_policy()) == []
        assert all("：" in rule.reason or len(rule.reason) > 8 for rule in default_policy().rules)

    def test_red(self) -> None:
        """Red: every way at once, three calls within five minutes and then to the door (勉县), loudspeakers full."""
        for hazard_class in HazardClass:
            rules = rules_for(default_policy(), hazard_class, Level.RED)
            assert set(rules) == set(Role)
            confirm = rules[Role.GRIDWORKER].confirm
            assert confirm is not None
            assert confirm.stop == "heard"
            assert [(rung.who, rung.door) for rung in confirm.ladder] == [
                *(((Who.SELF,), False), ((Who.SELF, Who.DEPUTY), False), ((Who.SUPERIOR,), True), ((Who.DUTY_DESK,), False))
            ]
            calls = [rung for rung in confirm.ladder if Who.SELF in rung.who]
            assert all("voice" in rung.channels for rung in calls)
            assert ChannelName.VOICE in rules[Role.GRIDWORKER].channels
            assert confirm.within + sum((rung.wait or confirm.within for rung in calls), timedelta()) == timedelta(minutes=5)
            assert set(rules[Role.RESIDENT].channels) == {ChannelName.SMS, ChannelName.WECHAT, ChannelName.PUSH}
            assert {rules[role].mode for role in (Role.GRIDWORKER, Role.RESIDENT)} == {"all"}
            assert (rules[Role.SPEAKER].loudspeaker.times, rules[Role.SPEAKER].loudspeaker.volume) == (3, 100)

    def test_blue(self) -> None:
        """Blue: no SMS to the public, one way only, not by night; a geological blue is not for the public at all."""
        rules = rules_for(default_policy(), "meteorological", Level.BLUE)
        assert ChannelName.SMS not in rules[Role.RESIDENT].channels
        assert rules[Role.RESIDENT].mode == "first"
        assert rules[Role.RESIDENT].quiet is not None
        assert rules[Role.SPEAKER].quiet is not None
        assert ChannelName.SMS in rules[Role.GRIDWORKER].channels
        assert Role.RESIDENT not in rules_for(default_policy(), "geological", Level.BLUE)

    def test_never_quiet_above_yellow(self) -> None:
        """Nobody's sleep stands above orange and red, and unknown outcomes are resent there."""
        policy = default_policy()
        for hazard_class, level, role in product(HazardClass, (Level.RED, Level.ORANGE), Role):
            rule = match_rule(policy, hazard_class, level, role)
            assert rule is not None
            assert rule.quiet is None
        assert [policy.unknown.resends(level) for level in Level] == [True, True, False, False]


class TestChanges:
    """What an edit changes, in lines and in words."""

    def test_nothing(self) -> None:
        """The same policy, and one whose reasons alone differ, changes nothing for anybody."""
        assert diff_policies(default_text(), default_text()) == []
        assert explain_texts(SMALL, SMALL.replace("aloud", "said aloud")) == []

    def test_lines(self) -> None:
        """The lines of the edit, with their signs."""
        lines = diff_policies(SMALL, SMALL.replace("within: 3m", "within: 10m"))
        assert [line[0] for line in lines if "confirm" in line] == ["-", "+"]

    def test_words(self) -> None:
        """Who is concerned, at which levels, from what to what."""
        text = SMALL.replace("within: 3m", "within: 1h30m").replace("roles: speaker", "roles: display")
        assert explain_texts(SMALL, text) == [
            "村负责人、网格员(红色、橙色、黄色、蓝色,各类灾害):由「同时短信、微信;每1分钟30秒一次共3次;3分钟内确认,逾期换渠道、报上级」"
            "改为「同时短信、微信;每1分钟30秒一次共3次;1小时30分钟内确认,逾期换渠道、报上级」",
            "大喇叭(红色,各类灾害):由「大喇叭;播4遍,音量55」改为「无规则」",
            "显示屏(红色,各类灾害):由「无规则」改为「大喇叭;播4遍,音量55」",
        ]

    def test_frame(self) -> None:
        """Release, zone and what is resent are told too."""
        text = "release: {green: red}\nunknown: {blue: resend}\n" + SMALL.replace("Shanghai", "Urumqi")
        assert explain_texts(SMALL, text) == [
            "时区:由「Asia/Shanghai」改为「Asia/Urumqi」",
            "绿色通道:由「橙色及以上」改为「红色及以上」",
            "蓝色结果不明的消息:由「不重发」改为「重发」",
        ]

    def test_silenced(self) -> None:
        """Somebody no longer told is said plainly."""
        text = SMALL.replace("channels: [push, sms], quiet: {from: 22:00, to: 07:00}", "channels: []")
        assert explain_texts(SMALL, text) == [
            "居民(黄色,各类灾害;蓝色,气象、水文、其他):由「首选推送、短信;22:00至07:00不打扰」改为「不通知」"
        ]


def test_a_ladder_in_words_and_whole() -> None:
    """A word stands for a rung; a rung that comes several times is that many rungs, and waits as it says."""
    confirm = Confirm.model_validate(
        {
            "within": "2m",
            "then": ["next_channel", {"who": ["self", "deputy"], "channels": ["voice"], "times": 2, "wait": "30s"}],
        }
    )
    assert [rung.cause for rung in confirm.ladder] == ["next_channel", "deputy", "deputy"]
    assert [confirm.wait(rung) for rung in confirm.ladder] == [120_000, 30_000, 30_000]
