"""The words of each warning, made once for (channel, role, language) and shared by everybody who gets them."""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from warnhub.alert import Alert, Level
from warnhub.config import County
from warnhub.plan.actions import long_guide
from warnhub.plan.duties import is_task, task_words
from warnhub.plan.policy import Policy, Rule, match_rule
from warnhub.plan.wording import Wording, make_words
from warnhub.port import Words
from warnhub.roles import Role
from warnhub.store.agencies import read_agency
from warnhub.store.assignments import TASK
from warnhub.store.engine import Store
from warnhub.store.warnings import Warning, read_warning, warning_alert

KEPT = 64
WAVE = text("SELECT warning_id, channel, round, cause FROM wave WHERE id = :v")
EARLIER = text("SELECT cause FROM wave WHERE warning_id = :w AND channel = :c AND round = :r")
ROUNDS = text(f"SELECT count(DISTINCT round) FROM wave WHERE warning_id = :w AND round <= :r AND cause NOT LIKE '{TASK}%'")


class Cause(NamedTuple):
    """Why a wave was cut: `task` is its cause where it tells of tasks, else ""; `round` is how often the warning was told by
    then, waves of tasks left out."""

    task: str = ""
    round: int = 1


@dataclass(slots=True)
class Story:
    """What every message of a warning is made from."""

    warning: Warning
    alert: Alert
    agency: str
    rules: dict[Role, Rule | None]
    words: dict[tuple[str, str, str, int, str], Words]
    previous: Level | None = None
    waves: dict[int, "Cause"] = field(default_factory=dict)


class Wordbook:
    """Stories of the warnings now being sent; the newest `KEPT` are kept."""

    def __init__(self, store: Store, policies: dict[int, Policy], county: County, words_dir: Path | None = None) -> None:
        self.store = store
        self.policies = policies
        self.wording = Wording(signature=county.signature, zone=county.zone, folder=words_dir)
        self.stories: OrderedDict[int, Story] = OrderedDict()

    async def story(self, number: int) -> Story:
        """The story of a warning, read once; of one that waits, read each time, since a person may still change it."""
        waits = number in self.stories and self.stories[number].warning.state == "pending"
        if number not in self.stories or waits:
            async with self.store.read() as conn:
                warning = await read_warning(conn, number)
                assert warning is not None
                alert = await warning_alert(conn, warning)
                agency = await read_agency(conn, warning.agency_id)
                before = await read_warning(conn, warning.previous_id) if warning.previous_id else None
            policy = self.policies[warning.policy]
            rules = {role: match_rule(policy, warning.hazard_class, Level(warning.level), role) for role in Role}
            self.stories[number] = Story(warning, alert, agency.name if agency else alert.sender, rules, {})
            if before is not None and warning.kind != "cancel":
                self.stories[number].previous = Level(before.level)
            while len(self.stories) > KEPT:
                self.stories.popitem(last=False)
        return self.stories[number]

    async def recall(self, story: Story, wave: int) -> Cause:
        """Why a wave of the story was cut; asked of the ledger once."""
        if wave not in story.waves:
            async with self.store.read() as conn:
                row = (await conn.execute(WAVE, {"v": wave})).one()
                cause, round_ = str(row.cause), int(row.round)
                if cause.startswith("resend:") and cause[7:].isdecimal():
                    asked = {"w": row.warning_id, "c": row.channel, "r": int(cause[7:])}
                    cause = str(await conn.scalar(EARLIER, asked) or "")
                told = await conn.scalar(ROUNDS, {"w": row.warning_id, "r": round_})
            story.waves[wave] = Cause(cause if is_task(cause) else "", max(1, int(told or 1)))
        return story.waves[wave]

    def words(self, story: Story, channel: str, role: str, language: str, round_: int = 1, task: str = "") -> Words:
        """What the warning says to `role` on `channel` in `language`; from the second round on it says so. `task`: what a wave
        of tasks says."""
        key = (channel, role, language, round_, task)
        if key not in story.words and task:
            base, drill = self.words(story, channel, role, language), story.warning.drill is not None
            given = {"channel": channel, "role": Role(role), "language": language, "drill": drill}
            story.words[key] = task_words(self.wording, story.alert, base, task, **given)  # type: ignore[arg-type]  # a table
        if key not in story.words:
            story.words[key] = make_words(
                self.wording,
                story.alert,
                channel=channel,
                role=Role(role),
                language=language,
                drill=story.warning.drill is not None,
                agency=story.agency,
                confirm=asks_back(story, role),
                again=round_,
                previous=story.previous,
            )
        return story.words[key]

    def advice(self, alert: Alert) -> str:
        """What to do, for a recipient's own page: the agency's words, else the guide's."""
        said = alert.text()
        return said.instruction or long_guide(alert.hazard, "zh" if said.language.lower().startswith("zh") else "en")


def asks_back(story: Story, role: str) -> bool:
    """Whether this role is asked to confirm, and so has a page of its own."""
    rule = story.rules.get(Role(role))
    return story.warning.kind != "cancel" and rule is not None and rule.confirm is not None
