"""CAP `info` blocks: each read, then joined with its translations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from lxml import etree

from warnhub.alert import LANES, Area, Certainty, Gate, Severity, Text, Urgency
from warnhub.ingest.choices import choose, read_web
from warnhub.ingest.findings import Findings
from warnhub.ingest.mapping import Named, read_level
from warnhub.ingest.places import read_area
from warnhub.ingest.text import HEADLINE, LINE, SHORT, clean_text
from warnhub.ingest.tree import child, children, said, words

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
DEFAULT_LANGUAGE = "en-US"
UNDETERMINED = "und"


@dataclass(frozen=True, slots=True)
class Info:
    """One `info` as read. `times` are effective, onset, expires as written."""

    element: etree._Element
    text: Text
    categories: tuple[str, ...]
    responses: tuple[str, ...]
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    codes: tuple[Named, ...]
    parameters: tuple[Named, ...]
    times: tuple[str, str, str]
    areas: tuple[Area, ...]

    @property
    def subject(self) -> tuple[object, ...]:
        """What translations of one info have in common, whatever their times."""
        return frozenset(self.categories), (self.urgency, self.severity, self.certainty), frozenset(self.codes)

    @property
    def places(self) -> frozenset[str]:
        """Where it holds, whatever its places are called in this language."""
        return frozenset(area.model_dump_json(exclude={"name"}) for area in self.areas if area.placeable)

    @property
    def words(self) -> tuple[str, ...]:
        """What it says."""
        return self.text.event, self.text.headline, self.text.description, self.text.instruction

    @property
    def lane(self) -> int:
        """1 for red to 4 for blue, for choosing the gravest; problems of reading it are found again later."""
        named = (*self.parameters, *self.codes)
        return LANES[read_level(named, self.severity, self.words[1::-1], self.element, Findings())[0]]


def read_info(element: etree._Element, version: str, findings: Findings) -> Info:
    """One `info`; what cannot be read of it is held."""
    return Info(
        element,
        read_text(element, findings),
        tuple(words(one).strip() for one in children(element, "category")),
        tuple(words(one).strip() for one in children(element, "responseType")),
        choose(element, "urgency", Urgency, findings, Gate.HOLD) or Urgency.UNKNOWN,
        choose(element, "severity", Severity, findings, Gate.HOLD) or Severity.UNKNOWN,
        choose(element, "certainty", Certainty, findings, Gate.HOLD) or Certainty.UNKNOWN,
        tuple(named for _, named in read_pairs(element, "eventCode")),
        tuple(named for _, named in read_pairs(element, "parameter")),
        (said(element, "effective"), said(element, "onset"), said(element, "expires")),
        tuple(read_area(one, read_pairs(one, "geocode"), findings) for one in children(element, "area")),
    )


def read_pairs(parent: etree._Element, name: str) -> list[tuple[etree._Element, Named]]:
    """Names and values with where they stand; CAP 1.0 writes `name=value` or `name,value` as one text."""
    pairs = []
    for one in children(parent, name):
        if len(one):
            pairs.append((one, Named(said(one, "valueName"), said(one, "value"))))
        else:
            key, _, value = words(one).strip().replace(",", "=", 1).partition("=")
            pairs.append((one, Named(key.strip(), value.strip()) if value else Named("", key.strip())))
    return pairs


def read_text(element: etree._Element, findings: Findings) -> Text:
    """The words of one info, through the text gate."""

    def line(name: str, most: int) -> str:
        where = child(element, name)
        return clean_text(words(where), element if where is None else where, findings, most, lines=False)

    def prose(name: str) -> str:
        where = child(element, name)
        return clean_text(words(where), element if where is None else where, findings)

    return Text(
        language=read_language(element, findings),
        event=line("event", SHORT),
        headline=line("headline", HEADLINE),
        description=prose("description"),
        instruction=prose("instruction"),
        sender_name=line("senderName", SHORT),
        web=read_web(element, findings),
        contact=line("contact", LINE),
    )


def read_language(element: etree._Element, findings: Findings, default: str = DEFAULT_LANGUAGE) -> str:
    """A language code; the form's default if there is none, `und` if it cannot be one."""
    where = child(element, "language")
    text = words(where).strip()
    if where is None or not text:
        return default
    if not LANGUAGE.fullmatch(text):
        findings.add(where, "INVALID_LANGUAGE", text)
        return UNDETERMINED
    return text


def group_infos(infos: Sequence[Info]) -> list[list[Info]]:
    """Infos on one subject together: translations of each other, or the same words for several places."""
    groups: list[list[Info]] = []
    for info in infos:
        fitting = [group for group in groups if belongs(info, group)]
        alike = (group for group in fitting if info.times == group[0].times)
        home = next(alike, None) or next((group for group in fitting if not speaks(info.text.language, group)), None)
        if home is None:
            groups.append([info])
        else:
            home.append(info)
    return groups


def belongs(info: Info, group: Sequence[Info]) -> bool:
    """Whether it says what the group says: in the same words for one place or another, or for its place in another language."""
    if info.subject != group[0].subject:
        return False
    if mates := speaks(info.text.language, group):
        return all(info.words == one.words and info.parameters == one.parameters for one in mates)
    there = frozenset[str]().union(*(one.places for one in group))
    return not info.places or not there or info.places <= there or there <= info.places


def speaks(language: str, group: Sequence[Info]) -> list[Info]:
    """The infos of a group in this language."""
    return [one for one in group if one.text.language.lower() == language.lower()]


def by_gravity(infos: Sequence[Info]) -> list[list[Info]]:
    """The infos of each subject, the gravest subject first; one empty subject where there is no info."""
    return sorted(group_infos(infos), key=lambda group: group[0].lane) or [[]]


def check_translations(infos: Sequence[Info], findings: Findings) -> None:
    """Two languages do not say a thing in the very same words; if at other times, the first one's hold."""
    other = next((one for one in infos if one.times != infos[0].times), None)
    if other:
        findings.add(other.element, "INFO_TIMES", " … ".join(filter(None, other.times)), "the first one's are used")
    for first, second in combinations(infos[:10], 2):
        if first.text.language.split("-")[0].lower() == second.text.language.split("-")[0].lower():
            continue
        for name in ("headline", "description", "instruction"):
            same = getattr(first.text, name)
            where = child(second.element, name)
            if same and where is not None and same == getattr(second.text, name):
                gate = Gate.ACCEPT if name == "headline" else None
                findings.add(where, "SAME_TEXT_DIFFERENT_LANGUAGE", same, first.text.language, gate)


def read_texts(infos: Sequence[Info]) -> list[Text]:
    """One text a language."""
    return list({info.text.language.lower(): info.text for info in reversed(infos)}.values())[::-1]
