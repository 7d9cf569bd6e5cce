"""What came back from a field page: a person's answer, or something that only looks like one."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from warnhub.console.scanners import is_machine
from warnhub.feedback.acks import CHOICES

FORM = "application/x-www-form-urlencoded"
LARGEST = 8_192
YOUNGEST, OLDEST = 2, 24 * 3_600
TRAP = "website"
"""A field nobody sees and programs fill in."""

LONGEST = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """`trouble` names the sentence that is shown instead of a thank-you, "" if a person chose; `machine`: nobody did this."""

    choice: str = ""
    text: str = ""
    trouble: str = ""
    machine: bool = False


def read_form(body: bytes, most: int = 20) -> dict[str, list[str]]:
    """A form's fields, each with every value it was given; {} for what is no form."""
    try:
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=most)
    except ValueError:
        return {}


def judge_answer(form: dict[str, list[str]], age: int | None, agent: str) -> Answer:
    """What a POST says. `age`: seconds since its page was loaded; None for a nonce that is not ours."""
    if is_machine(agent):
        return Answer(trouble="agent", machine=True)
    if any(form.get(TRAP, [])):
        return Answer(trouble="trap", machine=True)
    if age is None or age < 0:
        return Answer(trouble="nonce", machine=True)
    if age < YOUNGEST:
        return Answer(trouble="fast", machine=True)
    if age > OLDEST:
        return Answer(trouble="old")
    chosen = form.get("choice", [])
    if len(chosen) != 1 or chosen[0] not in CHOICES:
        return Answer(trouble="choice")
    said = " ".join(form.get("text", [""])[0].split())
    return Answer(chosen[0], said[:LONGEST])
