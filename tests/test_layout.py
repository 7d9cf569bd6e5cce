"""The rules of this house that a machine can hold: where things live, how they are found, how large they may be."""

import ast
import re
import statistics
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from warnhub.cli import app
from warnhub.config import Settings
from warnhub.port import ChannelSettings

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ADAPTERS = sorted(path for path in (ROOT / "adapters").iterdir() if (path / "__init__.py").exists())
CODE = sorted(path for folder in ("src", "adapters") for path in (ROOT / folder).rglob("*.py"))

MOST_LINES = 400
# Each stays one page on purpose: the port is all that an adapter's author reads, the tables are the whole ledger.
LONGER = {"src/warnhub/port.py": 560, "src/warnhub/store/tables.py": 500}
ADAPTER_LINES = 150
# Where a bug in our own code is caught, so that it cannot stop a warning: nothing is sent or recorded as sent because of it.
BOUNDARIES = {
    "src/warnhub/bus/kafka.py": 1,  # the same, read from a topic
    "src/warnhub/bus/local.py": 1,  # one outbox entry: tried again, then buried and shown
    "src/warnhub/console/pages.py": 1,  # one request: a page that says so, and the reason in the log
    "src/warnhub/dispatch/handover.py": 1,  # one message: it becomes unknown
    "src/warnhub/dispatch/worker.py": 1,  # one batch: its deliveries become unknown
    "src/warnhub/inlet/calls.py": 1,  # records of a topic: each alone, then kept on the dead topic
    "src/warnhub/inlet/topics.py": 1,  # one record of a topic: tried again, then kept on the dead topic and answered so
    "src/warnhub/hub.py": 1,  # one part of the engine: it is begun again
    "src/warnhub/store/group.py": 1,  # one group commit: each of those who wait gets the error
}
BROAD = {"Exception", "BaseException"}


def name_of(path: Path) -> str:
    """As seen from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every module, parsed."""
    for path in CODE:
        yield name_of(path), ast.parse(path.read_text("utf-8"))


def test_every_entry_point_leads_to_a_channel() -> None:
    declared = PROJECT["project"]["entry-points"]["warnhub.channels"]
    found = {point.name: point for point in entry_points(group="warnhub.channels")}
    assert set(found) >= set(declared)
    for name, value in declared.items():
        adapter = found[name].load()
        assert found[name].value == value
        assert adapter.Settings.model_fields.keys() >= {"rate", "parallel", "timeout"}
        assert value.partition(".")[0] == f"warnhub_{name.partition('.')[0]}"


def test_the_wheel_holds_every_adapter_and_nothing_strange() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(["src/warnhub", *(name_of(path) for path in ADAPTERS)])
    assert PROJECT["tool"]["mypy"]["packages"] == [Path(package).name for package in packages]
    assert all((ROOT / package / "py.typed").exists() for package in packages)


def test_migrations_do_not_hide_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"alembic": "warnhub_migrations"}


def test_an_adapter_imports_the_port_alone() -> None:
    for name, tree in trees():
        if not name.startswith("adapters/"):
            continue
        package = name.split("/")[1]
        asked = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        asked |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        ours = {module for module in asked if module.startswith("warnhub")}
        assert {module for module in ours if module.partition(".")[0] != package} <= {"warnhub.port"}, name


def test_every_adapter_stands_under_the_import_rules() -> None:
    contracts = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    names = [path.name for path in ADAPTERS]
    assert sorted(contracts["found"]["forbidden_modules"]) == names
    assert sorted(contracts["port"]["source_modules"]) == names
    assert sorted(contracts["apart"]["modules"]) == names


def test_modules_stay_small() -> None:
    lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in CODE}
    assert {name: n for name, n in lines.items() if n > LONGER.get(name, MOST_LINES)} == {}
    assert {name: n for name, n in lines.items() if name.startswith("adapters/") and n > ADAPTER_LINES} == {}
    assert statistics.median(n for n in lines.values() if n) <= 110


def test_functions_stay_small() -> None:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    lines = [
        (node.end_lineno or 0) - node.lineno + 1 for _, tree in trees() for node in ast.walk(tree) if isinstance(node, kinds)
    ]
    assert statistics.median(lines) <= 9
    assert sum(n > 35 for n in lines) <= len(lines) * 0.02
    assert max(lines) <= 60


def test_modules_have_one_word() -> None:
    stems = {path.stem for path in CODE if not path.stem.startswith("__")}
    assert {stem for stem in stems if "_" in stem} == set()


def test_bugs_are_caught_at_task_boundaries_alone() -> None:
    found: dict[str, int] = {}
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
                found[name] = found.get(name, 0) + 1
    assert found == BOUNDARIES


def is_broad(kind: ast.expr | None) -> bool:
    """Whether an except clause takes everything."""
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or (isinstance(one, ast.Name) and one.id in BROAD) for one in kinds)


def test_nothing_is_patched() -> None:
    """Time, network and randomness are parameters; a test that swaps our code's insides proves little."""
    asked = re.compile(r"\bmonkeypatch\.setattr\(|mock\.patch|from unittest(\.mock)? import")
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    assert [name_of(path) for path in tests if asked.search(path.read_text("utf-8"))] == []


def test_public_things_say_what_they_are() -> None:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    silent = []
    for name, tree in trees():
        body = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
        silent += [f"{name}:{node.name}" for node in body if not ast.get_docstring(node) and node.name != "main"]
    assert silent == []


# ---------------------------------------------------------------- what is promised on paper


def commands() -> Iterator[tuple[str, str]]:
    """(whole name, help) of every command."""

    def walk(command: object, name: str) -> Iterator[tuple[str, str]]:
        yield name, getattr(command, "help", "") or ""
        for word, below in getattr(command, "commands", {}).items():
            yield from walk(below, f"{name} {word}")

    yield from walk(get_command(app), "warnhub")


def test_every_command_has_help_in_two_languages() -> None:
    for name, said in commands():
        assert re.search(r"[\u4e00-\u9fff]", said), name
        assert re.search(r"[a-z]{3}", said), name


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TARGETS = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    assert set(re.findall(r"\bmake ([a-z]+)", code_of(text))) <= TARGETS
    known = {name for name, _ in commands()}
    for line in re.findall(r"(?m)\bwarnhub((?: [a-z]+(?:-[a-z]+)*)+)", code_of(text)):
        words = ["warnhub", *line.split()]
        assert any(" ".join(words[:length]) in known for length in (2, 3)), f"{page.name}: {' '.join(words)}"
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def code_of(text: str) -> str:
    """The parts of a page that are meant to be typed: blocks of shell, indented lines, and what stands in backquotes."""
    fenced = re.compile(r"(?ms)^```(\w*)\n(.*?)^```")
    blocks = [body for language, body in fenced.findall(text) if language in {"", "sh"}]
    prose = fenced.sub("", text)
    return "\n".join([*blocks, *re.findall(r"(?m)^ {4}(\S.*)$", prose), *re.findall(r"`([^`\n]+)`", prose)])


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert f"`{name}`" in page, name
        for part in getattr(field.annotation, "model_fields", {}):
            assert f"`{name}.{part}`" in page, f"{name}.{part}"


def test_every_provider_setting_is_documented() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for point in entry_points(group="warnhub.channels"):
        section = re.search(rf"(?ms)^#+ `{re.escape(point.name)}`\n(.*?)(?=^#|\Z)", page)
        assert section, point.name
        own = point.load().Settings.model_fields.keys() - ChannelSettings.model_fields.keys()
        assert {name for name in own if f"`{name}`" not in section[1]} == set(), point.name
    assert all(f"`{name}`" in page for name in ChannelSettings.model_fields)


def test_make_help_names_every_target() -> None:
    said = set(re.findall(r"(?m)^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8")))
    assert said == TARGETS
    phony = re.search(r"(?m)^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"))
    assert phony
    assert set(phony[1].split()) == TARGETS


def test_continuous_integration_asks_for_the_tests_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make test"]


def test_typer_shows_no_locals() -> None:
    """A traceback on the terminal must not print a key that was in a variable."""
    assert isinstance(app, typer.Typer)
    assert app.pretty_exceptions_show_locals is False
