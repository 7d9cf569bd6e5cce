"""Every decision that is audited has words in both languages on the audit's page."""

import ast
from pathlib import Path

from warnhub.console.ledgers import deed_words
from warnhub.console.strings import LANGUAGES

SOURCE = Path(__file__).resolve().parents[2] / "src" / "warnhub"
SAYERS = {"add_audit": 2, "change": 2, "note_refusal": 2}
"""Functions that are told what was done, and the place of the argument that says it."""

FAMILIES = {"suggestion.": ("accepted", "dismissed"), "point.": ("rectify", "recheck")}
"""What is put together where it is written down."""


def actions() -> set[str]:
    """Every action in the source."""
    found = {stem + end for stem, ends in FAMILIES.items() for end in ends}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = SAYERS.get(name, 99)
            said = node.args[place] if len(node.args) > place else None
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                found.add(said.value)
            elif isinstance(said, ast.JoinedStr) and name == "add_audit":
                stem = said.values[0]
                assert isinstance(stem, ast.Constant)
                assert stem.value in FAMILIES, f"{path.name}: say what {stem.value}… can be"
    return found


def test_each_action_has_its_words() -> None:
    done = actions()
    assert {"warning.release", "user.password", "key.missing"} <= done
    for lang in LANGUAGES:
        assert sorted(one for one in done if deed_words(one, lang) == one) == []
    assert len({deed_words(one, "zh") for one in done}) == len(done)
    assert deed_words("what.was.long.ago", "en") == "what.was.long.ago"
