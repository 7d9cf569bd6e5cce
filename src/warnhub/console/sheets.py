"""Pages of figures and lists, put together from tiles, tables and forms, so that each page says only what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.responses import HTMLResponse

from warnhub.console.strings import say
from warnhub.console.visit import Visit


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure. `about` is its definition, in the reader's language; `kind`: good, warn, bad or ""."""

    value: str
    name: str
    about: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `chip`: a state to colour by; `number`: set to the right; `href`: below the console's own path;
    `forms`: buttons, each (path, words, hidden fields)."""

    text: str
    small: str = ""
    href: str = ""
    chip: str = ""
    number: bool = False
    forms: Sequence[tuple[str, str, dict[str, str]]] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form: text, or a choice among `options` (value → words), or hidden. `kind`: text, password, area, file."""

    name: str
    label: str = ""
    value: str = ""
    options: dict[str, str] = field(default_factory=dict)
    needed: bool = False
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Act:
    """A form with one button; one with a `title` stands below the tables, folded.

    `action`: below the console's own path; `kind`: primary, danger or "".
    """

    label: str
    action: str
    fields: Sequence[Field] = ()
    note: str = ""
    kind: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table under a heading; `about` says how its numbers are made."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    about: str = ""
    empty: str = ""


@dataclass(slots=True)
class Sheet:
    """A page. `back`: where it leads back to, and in which words; `secret`: (words, something that is shown once); `search`:
    (name, words, value) of the fields it can be narrowed down by; `following`: where the next page is; `dial`: a number that an
    officer has just asked for in order to call it, "none" where there is none to show."""

    title: str
    back: tuple[str, str] = ("", "")
    drill: bool = False
    lead: str = ""
    trouble: str = ""
    tiles: list[Tile] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    done: str = ""
    secret: tuple[str, str] = ("", "")
    search: list[tuple[str, str, str]] = field(default_factory=list)
    following: str = ""
    dial: str = ""


def dial_forms(path: str, lang: str) -> list[tuple[str, str, dict[str, str]]]:
    """The button that asks for the whole number of the person whose page is at `path`."""
    return [(f"{path}/number", say("dial.short", lang), {})]


def number(value: object, small: str = "") -> Cell:
    """A cell with a number."""
    return Cell(f"{value:,}" if isinstance(value, int) else str(value), small, number=True)


def show(visit: Visit, sheet: Sheet, status: int = 200) -> HTMLResponse:
    """The page."""
    return visit.page("response/sheet.html", status, sheet=sheet)
