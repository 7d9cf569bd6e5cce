"""What came back from a field page: a person's answer, or something that only looks like one."""

import re
import unicodedata
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
PLACE, DEGREES = re.compile(r"[,;\s、]+"), re.compile(r"[0-9]{1,3}(\.[0-9]{1,8})?")


@dataclass(frozen=True, slots=True)
class Answer:
    """`trouble` names the sentence that is shown instead of a thank-you, "" if a person chose; `machine`: nobody did this.

    `place` is where they say they are; `camera`: where their photograph was taken is where they are.
    """

    choice: str = ""
    text: str = ""
    trouble: str = ""
    machine: bool = False
    place: tuple[float, float] | None = None
    camera: bool = False


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
    typed = form.get("place", [""])[0].strip()
    place = read_place(typed)
    if typed and place is None:
        return Answer(trouble="place")
    return Answer(chosen[0], said[:LONGEST], place=place, camera="camera" in form)


def read_place(typed: str) -> tuple[float, float] | None:
    """`26.1234, 117.5678` as (longitude, latitude), in either order where only one can be meant; None for anything else.

    A county of China lies between 73 and 136 degrees east and 3 and 54 north, so the larger number is the longitude.
    """
    parts = [part for part in PLACE.split(unicodedata.normalize("NFKC", typed)) if part]
    if len(parts) != 2 or not all(DEGREES.fullmatch(part) for part in parts):
        return None
    lat, lon = sorted(float(part) for part in parts)
    return (lon, lat) if 73 <= lon <= 136 and 3 <= lat <= 54 else None
