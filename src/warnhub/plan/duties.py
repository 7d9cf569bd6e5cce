"""What somebody is told of a task: that there is one, that its time begins, that it is late, or that one of theirs is.

The words are ours alone: an agency's warning says nothing of who does what. The list itself stands on the person's own page,
since it names places; a text holds its address.
"""

from dataclasses import replace
from enum import StrEnum

from warnhub.alert import Alert
from warnhub.plan import facts
from warnhub.plan.clean import clip_text
from warnhub.plan.content import Purpose, Request
from warnhub.plan.wording import THING, Wording, finish, fit_body, room_of
from warnhub.port import LINK, Words
from warnhub.roles import Role
from warnhub.store.assignments import TASK, TITLE


class Told(StrEnum):
    """Why somebody is told of tasks."""

    START = "start"
    BEGIN = "begin"
    LATE = "late"
    RAISED = "raised"


SAID = {
    Told.START: (
        "{title}。您有任务须按时完成，请打开逐项打勾",
        "{title}. You have tasks with a deadline; open the list and tick them off",
        "响应任务",
        "Tasks",
    ),
    Told.BEGIN: ("到时限：{title}。请按时完成并打勾", "Due now: {title}. Tick it off when it is done", "任务到时", "Task due"),
    Told.LATE: ("任务已超时：{title}。请立即处理并打勾", "Task overdue: {title}. See to it at once", "任务超时", "Overdue"),
    Told.RAISED: (
        "下属任务已超时：{title}。请督办",
        "A task of your people is overdue: {title}. Please see to it",
        "任务督办",
        "Overdue task",
    ),
}


def make_cause(told: Told, title: str) -> str:
    """What the ledger keeps of why a wave was cut: `task:late:巡查…`."""
    return f"{TASK}{told.value}:{title[:TITLE]}"


def is_task(cause: str) -> bool:
    """Whether a wave tells of tasks, and not the warning again."""
    return cause.startswith(TASK)


def task_words(
    wording: Wording, alert: Alert, base: Words, cause: str, *, channel: str, role: Role, language: str, drill: bool
) -> Words:
    """The words of a wave of tasks. `base` is what the warning says there: a provider's template takes its fields, but for the
    headline and what to do."""
    told, _, title = cause.removeprefix(TASK).partition(":")
    chinese, english, name, label = SAID[Told(told)]
    spoken = facts.told_language(alert, language)
    request = Request(alert, channel, role, spoken, drill, "", False, Purpose.WARN, 1, None)
    zh = request.frame == "zh"
    pattern, sign = (chinese, wording.signature and f"【{wording.signature}】") if zh else (english, f"[{wording.signature}] ")
    place = f" {LINK} " if channel in {"sms", "wechat"} else "。" if zh else "."

    def render(said: str) -> str:
        return finish(wording, request, f"{sign if channel == 'sms' else ''}{pattern.format(title=said)}{place}".rstrip())

    mark = base.fields.get("drill", "")
    short = clip_text(f"{f'【{mark}】' if mark else ''}{name if zh else label}", THING)
    shown = clip_text(f"{f'【{mark}】' if mark else ''}{title}", THING)
    said = fit_body(title, render, room_of(wording, request))
    return replace(base, text=render(said), title=short, fields=dict(base.fields) | {"headline": shown, "action": short})
