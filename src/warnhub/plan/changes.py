"""What a new policy changes: the lines, for those who edit it, and in words, for those it concerns."""

from collections import defaultdict
from datetime import timedelta
from difflib import unified_diff
from itertools import product

from warnhub.alert import Level
from warnhub.hazards import HazardClass
from warnhub.plan.ladder import Confirm, Rung, Who
from warnhub.plan.loading import read_policy
from warnhub.plan.policy import CLASSES, Cell, Policy, Rule, match_rule
from warnhub.roles import Role

CLASS_NAMES = {
    HazardClass.METEOROLOGICAL: "气象",
    HazardClass.HYDROLOGICAL: "水文",
    HazardClass.GEOLOGICAL: "地质",
    HazardClass.OTHER: "其他",
}
LEVEL_NAMES = {Level.RED: "红色", Level.ORANGE: "橙色", Level.YELLOW: "黄色", Level.BLUE: "蓝色"}
CHANNEL_NAMES = {"sms": "短信", "wechat": "微信", "loudspeaker": "大喇叭", "push": "推送", "voice": "电话"}
WHO_NAMES = {Who.SELF: "再叫本人", Who.DEPUTY: "找代理人", Who.SUPERIOR: "报上级", Who.DUTY_DESK: "报值班台"}
TREATMENT_NAMES = {"resend": "重发", "leave": "不重发"}

Change = tuple[str, str]


def diff_policies(old_text: str, new_text: str) -> list[str]:
    """The lines that differ, as a unified diff without line ends; [] where none does."""
    lines = unified_diff(old_text.splitlines(), new_text.splitlines(), "现行 / now", "新 / new", lineterm="", n=2)
    return list(lines)


def explain_texts(old_text: str, new_text: str) -> list[str]:
    """`explain_changes` of two YAML texts. Raises `PolicyError` where one cannot be used."""
    return explain_changes(read_policy(old_text), read_policy(new_text))


def explain_changes(old: Policy, new: Policy) -> list[str]:
    """In Chinese, a sentence for each thing that becomes different and whom it concerns; [] where nothing does."""
    return explain_frame(old, new) + explain_rules(old, new)


def explain_frame(old: Policy, new: Policy) -> list[str]:
    """What changes for everybody: the zone, who releases, what is resent."""
    pairs = [("时区", old.zone, new.zone)]
    pairs += [("绿色通道", threshold(old.release.green), threshold(new.release.green))]
    pairs += [("两人放行", threshold(old.release.two), threshold(new.release.two))]
    for level in Level:
        before, after = (TREATMENT_NAMES[getattr(policy.unknown, level.value)] for policy in (old, new))
        pairs.append((f"{LEVEL_NAMES[level]}结果不明的消息", before, after))
    return [f"{what}:由「{before}」改为「{after}」" for what, before, after in pairs if before != after]


def explain_rules(old: Policy, new: Policy) -> list[str]:
    """What changes for whom: cells that change alike share a sentence."""
    groups: dict[tuple[Role, Change], list[Cell]] = defaultdict(list)
    for hazard_class, level, role in product(CLASSES, Level, Role):
        before, after = (describe_rule(match_rule(policy, hazard_class, level, role)) for policy in (old, new))
        if before != after:
            groups[role, (before, after)].append((hazard_class, level, role))
    shared: dict[tuple[str, Change], list[Role]] = defaultdict(list)
    for (role, change), cells in groups.items():
        shared[describe_cells(cells), change].append(role)
    return [
        f"{'、'.join(role.zh for role in roles)}({where}):由「{before}」改为「{after}」"
        for (where, (before, after)), roles in shared.items()
    ]


def describe_cells(cells: list[Cell]) -> str:
    """The levels of each set of hazard classes: `红色、橙色,各类灾害`."""
    classes: dict[Level, list[HazardClass]] = defaultdict(list)
    for hazard_class, level, _ in cells:
        classes[level].append(hazard_class)
    levels: dict[tuple[HazardClass, ...], list[Level]] = defaultdict(list)
    for level in Level:
        if level in classes:
            levels[tuple(classes[level])].append(level)
    return ";".join(f"{'、'.join(LEVEL_NAMES[level] for level in at)},{name_classes(named)}" for named, at in levels.items())


def name_classes(named: tuple[HazardClass, ...]) -> str:
    """`各类灾害` for all, else their names."""
    return "各类灾害" if len(named) == len(CLASSES) else "、".join(CLASS_NAMES[one] for one in named)


def threshold(level: Level | None) -> str:
    """`橙色及以上`, or `不设`."""
    return f"{LEVEL_NAMES[level]}及以上" if level else "不设"


def describe_rule(rule: Rule | None) -> str:
    """All a rule does, in one line of Chinese; two rules that do the same read the same, whatever their reasons."""
    if rule is None:
        return "无规则"
    if not rule.channels:
        return "不通知"
    names = [CHANNEL_NAMES[channel] for channel in rule.channels]
    way = "首选" if rule.mode == "first" and len(names) > 1 else "同时" if len(names) > 1 else ""
    return ";".join([f"{way}{'、'.join(names)}", *describe_extras(rule)])


def describe_extras(rule: Rule) -> list[str]:
    """Repeats, quiet hours, confirmation, loudspeaker."""
    said = []
    if rule.repeat:
        said.append(f"每{name_duration(rule.repeat.every)}一次共{rule.repeat.times}次")
    if rule.quiet:
        said.append(f"{rule.quiet.start:%H:%M}至{rule.quiet.end:%H:%M}不打扰")
    if rule.confirm:
        said.append(describe_ladder(rule.confirm))
    if "loudspeaker" in rule.channels:
        said.append(f"播{rule.loudspeaker.times}遍,音量{rule.loudspeaker.volume}")
    return said


def describe_ladder(confirm: Confirm) -> str:
    """`3分钟内确认,逾期换渠道、找代理人、报上级`."""
    ladder = "、".join(describe_rung(rung) for rung in confirm.then)
    heard = ",接听满时长即停呼" if confirm.stop == "heard" else ""
    return f"{name_duration(confirm.within)}内确认" + (f",逾期{ladder}" if ladder else "") + heard


def describe_rung(rung: Rung) -> str:
    """`再叫本人(电话、短信)2次,每次等2分钟`."""
    if rung.untried:
        told = "换渠道"
    else:
        names = "、".join(CHANNEL_NAMES.get(channel, channel) for channel in rung.channels)
        told = "并".join(WHO_NAMES[who] for who in rung.who) + (f"({names})" if names else "")
    told += f"{rung.times}次" if rung.times > 1 else ""
    told += f"等{name_duration(rung.wait)}" if rung.wait else ""
    return told + ("并上门" if rung.door else "")


def name_duration(value: timedelta) -> str:
    """`3分钟`, `1小时30分钟`."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "小时"), (minutes, "分钟"), (seconds, "秒"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
