"""Policy files: YAML text to a checked `Policy`, or a refusal that names the line, the rule and the value."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError

from warnhub.alert import Problem
from warnhub.plan.policy import Policy

MAX_CHARACTERS = 200_000
MAX_DEPTH = 12


class PolicyError(ValueError):
    """The policy cannot be used. `problems` has one entry for each thing wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(f"{at.path}: {at.message} [{at.rule}] ({at.value})" for at in problems))
        self.problems = problems


TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "map", "seq")}


class Refusal(Exception):
    """One thing wrong in the YAML itself, before any rule is read."""

    def __init__(self, line: int, rule: str, message: str, value: object) -> None:
        super().__init__(message)
        self.problem = Problem(path=f"line {line}", rule=rule, message=message, value=str(value))


class Loader(yaml.SafeLoader):
    """The safe loader, stricter: no key twice, no alias (a few can stand for gigabytes), a bounded depth."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One node; refuses aliases and depth."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it open
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise Refusal(line, "alias", "aliases are not taken: write it out", event.anchor)
        if self.depth > MAX_DEPTH:
            raise Refusal(line, "depth", f"nested more than {MAX_DEPTH} deep", "")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node and node.tag not in TAGS:
            raise Refusal(line, "tag", "a tag is not taken: values are plain words, lists and mappings", node.tag)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping with plain text keys, each once."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Refusal(key.start_mark.line + 1, "key", "a key must be a plain word", key.tag)
            if key.value in seen:
                raise Refusal(key.start_mark.line + 1, "duplicate", "this key stands here already", key.value)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


# YAML 1.1 reads 22:00 as 1320 and no as false; a policy means the words it says.
Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] in TAGS] for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_policy(text: str) -> Policy:
    """The policy in a YAML text. Raises `PolicyError` with every problem found, each with its line."""
    if len(text) > MAX_CHARACTERS:
        raise PolicyError([refused("", "size", f"is longer than {MAX_CHARACTERS} characters", len(text))])
    data, node = parse_yaml(text)
    if not isinstance(data, dict):
        raise PolicyError([refused("line 1", "mapping", "must be a mapping with name and rules", type(data).__name__)])
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        raise PolicyError([locate(node, found) for found in deepest(error)]) from None


def parse_yaml(text: str) -> tuple[Any, yaml.Node | None]:
    """The data and the nodes they came from, which know their lines."""
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        return (loader.construct_document(node) if node else None), node
    except Refusal as refusal:
        raise PolicyError([refusal.problem]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}" if mark else ""
        raise PolicyError([refused(line, "yaml", error.problem or "is not YAML", error.context or "")]) from None
    except yaml.reader.ReaderError as error:
        line = f"line {text.count(chr(10), 0, error.position) + 1}"
        raise PolicyError([refused(line, "yaml", "a control character is not taken", f"U+{error.character:04X}")]) from None


def refused(path: str, rule: str, message: str, value: object) -> Problem:
    """A problem with the file as a whole, or with one of its lines."""
    return Problem(path=path, rule=rule, message=message, value=str(value))


def deepest(error: ValidationError) -> list[dict[str, Any]]:
    """What pydantic found, without what only follows from something further in (no rule is left, as the one is wrong)."""
    every = [dict(found) for found in error.errors(include_url=False)]
    places = [placed(found) for found in every]
    return [
        found | {"loc": place}
        for found, place in zip(every, places, strict=True)
        if not any(is_inside(other, place) for other in places)
    ]


def placed(found: dict[str, Any]) -> tuple[object, ...]:
    """Where it is: what pydantic says, and the number of the rule where the list of rules as a whole was judged."""
    where: tuple[object, ...] = found["loc"]
    return (*where, *(number for key, number in found.get("ctx", {}).items() if key == "rule"))


def is_inside(place: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether `place` is further in than `other`."""
    return len(place) > len(other) and place[: len(other)] == other


def locate(node: yaml.Node | None, found: dict[str, Any]) -> Problem:
    """What pydantic found, with the line it is on."""
    line = 1
    for part in found["loc"]:
        child = step_into(node, part)
        if child is None:
            break
        node, line = child, child.start_mark.line + 1
    path = ".".join(str(part) for part in found["loc"])
    message = str(found["msg"]).removeprefix("Value error, ")
    return refused(f"line {line}: {path}".rstrip(": "), found["type"], message, written(found))


def step_into(node: yaml.Node | None, part: object) -> yaml.Node | None:
    """The node under a key or an index; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]  # type: ignore[no-any-return]  # the stubs leave the items open
    return None


def written(found: dict[str, Any]) -> str:
    """The value as a person would recognise it; of a list judged as a whole, the one that broke the rule."""
    value = found["input"][found["ctx"]["rule"]] if found["type"] == "unreachable" else found["input"]
    return value if isinstance(value, str) else repr(value)


@cache
def default_text() -> str:
    """The YAML of the policy WarnHub comes with."""
    return (files("warnhub.plan") / "default.yaml").read_text("utf-8")


@cache
def default_policy() -> Policy:
    """The policy WarnHub comes with, for a Chinese county."""
    return read_policy(default_text())
