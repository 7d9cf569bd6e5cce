"""A policy changed by a form: what changes is one thing, what stays is every other line and comment."""

from difflib import ndiff

import pytest

from warnhub.plan.editing import edit_release, edit_rule, read_rule
from warnhub.plan.loading import PolicyError, default_text, read_policy

SMALL = """name: 小县
release:
  green: orange   # 绿色通道
rules:
  # 红色
  - levels: red
    roles: [village_head]
    channels:
      - sms     # 先短信
      - wechat
    # 三分钟
    confirm:
      within: 3m
      then: [next_channel]
    reason: 三分钟内叫应

  # 其他
  - levels: [orange, yellow, blue]
    roles: village_head
    channels: [sms]
    reason: 知会即可
  - {levels: red, roles: gridworker, channels: sms, reason: 一行写完的规则}
"""


def changed(old: str, new: str) -> list[str]:
    """The lines that differ."""
    return [line for line in ndiff(old.splitlines(), new.splitlines()) if line[0] in "+-"]


def test_only_what_changes_is_rewritten() -> None:
    new = edit_rule(SMALL, 0, {"channels": "[voice, sms]"})
    taken = ["-     channels:", "-       - sms     # 先短信", "-       - wechat"]
    assert sorted(changed(SMALL, new)) == sorted([*taken, "+     channels: [voice, sms]"])
    assert read_policy(new).rules[0].channels == ("voice", "sms")


def test_a_key_is_added_behind_those_before_it_and_taken_out_whole() -> None:
    new = edit_rule(SMALL, 0, {"repeat": "{every: 10m, times: 3}"})
    assert changed(SMALL, new) == ["+     repeat: {every: 10m, times: 3}"]
    assert edit_rule(new, 0, {"repeat": None}) == SMALL
    without = edit_rule(SMALL, 0, {"confirm": None})
    assert changed(SMALL, without) == ["-     confirm:", "-       within: 3m", "-       then: [next_channel]"]
    assert read_policy(without).rules[0].confirm is None


def test_a_deadline_changes_and_its_ladder_stays() -> None:
    new = edit_rule(SMALL, 0, {"confirm.within": "5m"})
    assert changed(SMALL, new) == ["-       within: 3m", "+       within: 5m"]
    added = edit_rule(SMALL, 1, {"confirm.within": "30m"})
    assert changed(SMALL, added) == ["+     confirm: {within: 30m}"]
    assert changed(added, edit_rule(added, 1, {"confirm.within": "20m"})) == [
        "-     confirm: {within: 30m}",
        "+     confirm: {within: 20m}",
    ]


def test_who_may_release() -> None:
    new = edit_release(SMALL, "red", "never")
    assert "  green: red   # 绿色通道" in new
    policy = read_policy(new)
    assert (policy.release.green, policy.release.two) == ("red", None)
    bare = SMALL.replace("release:\n  green: orange   # 绿色通道\n", "")
    assert read_policy(edit_release(bare, "never", "orange")).release.two == "orange"
    flow = SMALL.replace("release:\n  green: orange   # 绿色通道", "release: {green: blue}")
    assert read_policy(edit_release(flow, "yellow", "red")).release.green == "yellow"


@pytest.mark.parametrize(
    ("number", "wanted", "said"),
    [
        (9, {"mode": "first"}, "there is no such rule"),
        (2, {"mode": "first"}, "written in one line"),
        (0, {"levels": None}, "stands first"),
    ],
)
def test_what_a_form_cannot_do_is_refused(number: int, wanted: dict[str, str | None], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        edit_rule(SMALL, number, wanted)


def test_every_rule_of_the_default_policy_can_be_edited() -> None:
    text = default_text()
    for number in range(len(read_policy(text).rules)):
        rule = read_rule(text, number)
        new = edit_rule(text, number, {"channels": "[sms, wechat, push, loudspeaker]", "mode": "first"})
        made = read_policy(new)
        assert made.rules[number].mode == "first"
        assert len(made.rules[number].channels) == 4
        others = [one for place, one in enumerate(made.rules) if place != number]
        assert others == [one for place, one in enumerate(read_policy(text).rules) if place != number]
        assert rule["reason"] in new
