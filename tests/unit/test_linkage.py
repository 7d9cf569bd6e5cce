"""`warnhub linkage`: the rules of the assessment by version, with what changes and who changed it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from warnhub.cli import app
from warnhub.crypto import make_key
from warnhub.response.linkage import default_rules


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Runner":
    """A terminal with a database of its own."""
    monkeypatch.setenv("WARNHUB_DATABASE_URL", f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    monkeypatch.setenv("WARNHUB_SECRET_KEY", make_key())
    monkeypatch.setenv("USER", "li")
    monkeypatch.delenv("SUDO_USER", raising=False)
    runner = Runner()
    assert runner("db", "upgrade").exit_code == 0
    return runner


class Runner:
    """Runs `warnhub …`."""

    def __call__(self, *words: str, answer: str = "") -> Result:
        """One command."""
        return CliRunner().invoke(app, list(words), input=answer)


def test_rules_are_shown_changed_with_a_difference_and_kept_with_their_author(run: Runner, tmp_path: Path) -> None:
    shown = run("linkage", "show")
    assert shown.exit_code == 0
    assert "slope_moves" in shown.output
    assert "version 1" in shown.output
    file = tmp_path / "rules.yaml"
    file.write_text(default_rules().replace("over: 10}", "over: 25}"), "utf-8")
    assert "8 rules" in run("linkage", "check", str(file)).output
    refused = run("linkage", "set", str(file), "--note", "少误报", answer="n\n")
    assert refused.exit_code == 1
    assert "version 1" in run("linkage", "show").output
    done = run("linkage", "set", str(file), "--note", "少误报", "--yes")
    assert done.exit_code == 0
    assert any(line.startswith("-") and "over: 10}" in line for line in done.output.splitlines())
    assert any(line.startswith("+") and "over: 25}" in line for line in done.output.splitlines())
    assert "version 2" in done.output
    after = run("linkage", "show").output
    assert "version 2, cli:li" in after
    assert "少误报" in after
    assert run("audit", "verify").exit_code == 0


def test_what_is_no_rule_changes_nothing_and_is_named_with_its_line(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    for old, new, said in (
        ("level: red", "level: pink", "line"),
        ("key: power", "key: dam", "twice"),
        ("rules:", "x:", "rules"),
    ):
        file.write_text(default_rules().replace(old, new, 1), "utf-8")
        for words in (("check", str(file)), ("set", str(file), "--note", "x", "--yes")):
            refused = run("linkage", *words)
            assert refused.exit_code == 2, refused.output
            assert said in refused.output
    assert "version 1" in run("linkage", "show").output


def test_rules_are_held_against_what_is_there_without_changing_anything(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(default_rules(), "utf-8")
    empty = run("linkage", "check", str(file), "--now")
    assert empty.exit_code == 0
    assert len(empty.output.splitlines()) == 1, "no reading, no rule fires"
