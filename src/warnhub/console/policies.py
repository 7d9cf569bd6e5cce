"""The policy at the desk: who is told how, as a table; its text, with what a change would mean before it is kept."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.alert import Level
from warnhub.console.details import number as read_number
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.hazards import HazardClass
from warnhub.plan.changes import diff_policies, explain_texts
from warnhub.plan.editing import edit_release, edit_rule, read_rule
from warnhub.plan.ladder import write_duration
from warnhub.plan.loading import PolicyError, read_policy
from warnhub.plan.policy import CLASSES, ChannelName, Policy, Rule, match_rule
from warnhub.roles import Role
from warnhub.store.policies import add_policy, newest_policy

LONGEST = 120_000


def table_of(policy: Policy, hazard: HazardClass) -> list[tuple[Role, list[tuple[Level, list[str], float, bool]]]]:
    """Each role's channels, and seconds to confirm in, at each level, for one class of hazards."""
    rows = []
    for role in Role:
        cells = []
        for level in Level:
            rule = match_rule(policy, hazard, level, role)
            within = rule.confirm.within.total_seconds() if rule and rule.confirm else 0.0
            cells.append(
                (
                    level,
                    [channel.value for channel in rule.channels] if rule else [],
                    within,
                    bool(rule and rule.mode == "first"),
                )
            )
        if any(channels for _, channels, *_ in cells):
            rows.append((role, cells))
    return rows


@dataclass(slots=True)
class Editor:
    """One rule as the form shows it; `order`: each channel's place, 0 where it is not used. Durations as they are written."""

    number: int
    title: str
    reason: str
    order: dict[str, str]
    mode: str
    every: str
    times: str
    within: str

    @classmethod
    def read(cls, text: str, number: int, lang: str) -> "Editor":
        """As the policy has it."""
        raw, rule = read_rule(text, number), read_policy(text).rules[number]
        named = [channel.value for channel in rule.channels]
        order = {channel.value: str(named.index(channel) + 1 if channel in named else 0) for channel in ChannelName}
        every = write_duration(rule.repeat.every) if rule.repeat and "repeat" in raw else ""
        times = str(rule.repeat.times) if every and rule.repeat else ""
        within = write_duration(rule.confirm.within) if rule.confirm else ""
        return cls(number, rule_title(rule, lang), rule.reason, order, rule.mode, every, times, within)

    def take(self, form: Mapping[str, str]) -> dict[str, str | None]:
        """What of a rule's text the form changes, as YAML in one line each; the form's own words stay in it."""
        was = replace(self, order=dict(self.order))
        self.order = {name: form.get(f"order.{name}", "0").strip()[:2] for name in self.order}
        self.mode, self.every, self.times = (form.get(name, "").strip()[:20] for name in ("mode", "every", "times"))
        self.within = form.get("within", "").strip()[:20]
        wanted: dict[str, str | None] = {}
        if self.order != was.order:
            wanted["channels"] = f"[{', '.join(self.used())}]"
        if self.mode != was.mode:
            wanted["mode"] = quoted(self.mode)
        if (self.every, self.times) != (was.every, was.times):
            said = f"{{every: {quoted(self.every)}, times: {quoted(self.times)}}}"
            wanted["repeat"] = said if self.every or self.times else None
        if self.within != was.within:
            key = "confirm.within" if self.within else "confirm"
            wanted[key] = quoted(self.within) if self.within else None
        return wanted

    def used(self) -> list[str]:
        """The channels that have a place, in their order."""
        return sorted((name for name, place in self.order.items() if place not in {"0", ""}), key=lambda name: self.order[name])


def quoted(value: str) -> str:
    """A value as YAML in one line, whatever it holds."""
    return value if re.fullmatch(r"[A-Za-z0-9]+", value) else json.dumps(value, ensure_ascii=False)


def rule_title(rule: Rule, lang: str) -> str:
    """Whom a rule is about: levels, hazards, roles."""
    levels = "、".join(say(f"level.{level.value}", lang) for level in rule.levels)
    hazards = (
        ""
        if len(rule.hazard_class) == len(CLASSES)
        else "、".join(say(f"class.{one.value}", lang) for one in rule.hazard_class)
    )
    roles = "、".join(role.name_in("zh" if lang == "zh" else "en") for role in rule.roles)
    joined = " · ".join(part for part in (levels, hazards, roles) if part)
    return joined if lang == "zh" else joined.replace("、", ", ")


async def show_policy(
    visit: Visit,
    status: int = 200,
    trouble: str = "",
    written: str = "",
    changes: list[str] | None = None,
    editor: Editor | None = None,
) -> Response:
    """The page. `?version=` shows an earlier one beside the one in force, `?rule=` a rule's form."""
    version, current = await newest_policy(visit.hub.store)
    asked = read_number(visit.request.query_params.get("version", ""))
    async with visit.hub.store.read() as conn:
        versions = (
            await conn.execute(text("SELECT version, author, note, at FROM policy ORDER BY version DESC LIMIT 30"))
        ).all()
        earlier = await conn.scalar(text("SELECT text FROM policy WHERE version = :v"), {"v": asked}) if asked else None
    if asked and earlier is None:
        raise HTTPException(404, "there is no such version")
    named = visit.request.query_params.get("hazard", HazardClass.METEOROLOGICAL.value)
    hazard = HazardClass(named) if named in set(HazardClass) else HazardClass.METEOROLOGICAL
    policy = read_policy(current)
    number = read_number(visit.request.query_params.get("rule", ""))
    if editor is None and number is not None and number < len(policy.rules):
        editor = Editor.read(current, number, visit.lang)
    return visit.page(
        "policy.html",
        status,
        version=version,
        written=written or current,
        policy=policy,
        rows=table_of(policy, hazard),
        hazard_class=hazard,
        classes=list(HazardClass),
        levels=list(Level),
        versions=versions,
        trouble=trouble,
        changes=changes,
        diff=diff_policies(current, written) if written else diff_policies(earlier, current) if earlier else [],
        earlier=asked,
        editor=editor,
        rules=[(place, rule_title(rule, visit.lang), rule) for place, rule in enumerate(policy.rules)],
        places=[str(place) for place in range(len(ChannelName) + 1)],
    )


async def change_policy(visit: Visit) -> Response:
    """First shows what would change and for whom; kept only when that was seen, with a note, on top of the same version."""
    version, current = await newest_policy(visit.hub.store)
    editor, act, written = None, visit.form.get("act", ""), ""
    try:
        if act == "rule":
            number = read_number(visit.form.get("rule", ""))
            editor = Editor.read(current, -1 if number is None else number, visit.lang)
            written = edit_rule(current, editor.number, editor.take(visit.form))
        elif act == "release":
            written = edit_release(current, quoted(visit.form.get("green", "")), quoted(visit.form.get("two", "")))
        else:
            written = visit.form.get("text", "").replace("\r\n", "\n").strip() + "\n"
        if len(written) > LONGEST:
            raise HTTPException(413, "the policy is too long")
        changes = explain_texts(current, written)
    except PolicyError as error:
        trouble = f"{say('policy.refused', visit.lang)} {error}"
        return await show_policy(visit, 422, trouble, "" if editor else written, editor=editor)
    if act and written == current:
        return await show_policy(visit, 422, say("policy.same", visit.lang), editor=editor)
    written = written.strip() + "\n"
    seen = visit.form.get("seen") == str(version) and visit.form.get("was", "") == written
    note = visit.form.get("note", "").strip()[:200]
    if not seen or not note:
        trouble = say("policy.note.needed", visit.lang) if seen else ""
        return await show_policy(visit, 422 if seen else 200, trouble, written, changes, editor)
    async with visit.hub.store.write() as tx:
        newest = await tx.conn.scalar(text("SELECT max(version) FROM policy"))
        if newest != version:
            raise HTTPException(409, "somebody has changed the policy meanwhile")
        await add_policy(tx, written, visit.actor, note)
    return visit.go("/policy")
