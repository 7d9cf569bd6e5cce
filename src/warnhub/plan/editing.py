"""Changes to a policy's text that a form asks for: only what changes is rewritten, so that comments and order stay as they are.

The text that comes out is read like any other: nothing here decides whether it may be used.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from warnhub.plan.loading import PolicyError, parse_yaml, refused

BEFORE = ("channels", "mode", "repeat", "quiet", "confirm")
"""Keys of a rule in their usual order: one that is not there yet stands behind the nearest before it."""


def edit_rule(text: str, number: int, wanted: Mapping[str, str | None]) -> str:
    """`text` with keys of its rule `number` (from 0) set, each to YAML in one line; None takes a key out.

    `confirm.within` and its like are keys inside one that has more, which stays. Raises `PolicyError` where there is no such
    rule, or it is written in one line and cannot be changed piece by piece.
    """
    for key, value in wanted.items():
        rule = find_rule(text, number)
        if rule.flow_style:
            line = f"line {rule.start_mark.line + 1}: rules.{number}"
            raise PolicyError([refused(line, "form", "is written in one line: change it in the YAML", "{…}")])
        text = set_key(text, rule, key.split("."), value)
    return text


def edit_release(text: str, green: str, two: str) -> str:
    """`text` with who may let a warning out; `never` where no level is meant."""
    data, top = parse_yaml(text)
    if not isinstance(top, yaml.MappingNode):
        raise PolicyError([refused("line 1", "mapping", "must be a mapping with name and rules", type(data).__name__)])
    found = find_value(top, "release")
    if found is None:
        return f"release: {{green: {green}, two: {two}}}\n{text}"
    for key, value in (("green", green), ("two", two)):
        _, top = parse_yaml(text)
        assert isinstance(top, yaml.MappingNode)
        release = find_value(top, "release")
        assert release is not None
        if isinstance(release[1], yaml.MappingNode) and release[1].value and not release[1].flow_style:
            text = set_key(text, release[1], [key], value)
        else:
            text = put(text, *release, f"{{green: {green}, two: {two}}}")
    return text


def read_rule(text: str, number: int) -> dict[str, Any]:
    """What the text says of a rule, word for word."""
    data, _ = parse_yaml(text)
    rules = data.get("rules") if isinstance(data, dict) else None
    rule = rules[number] if isinstance(rules, list) and 0 <= number < len(rules) else None
    if not isinstance(rule, dict):
        raise PolicyError([refused("rules", "rule", "there is no such rule", number)])
    return rule


def find_rule(text: str, number: int) -> yaml.MappingNode:
    """The node of a rule, which knows where in the text it stands."""
    read_rule(text, number)
    _, top = parse_yaml(text)
    assert isinstance(top, yaml.MappingNode)
    found = find_value(top, "rules")
    assert found is not None
    rule = found[1].value[number]
    assert isinstance(rule, yaml.MappingNode)
    return rule


def find_value(mapping: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """A key and its value."""
    return next(((name, value) for name, value in mapping.value if name.value == key), None)


def set_key(text: str, mapping: yaml.MappingNode, path: list[str], value: str | None) -> str:
    """`text` with one key of a mapping set or taken out."""
    found = find_value(mapping, path[0])
    if len(path) == 1:
        if value is None:
            return text if found is None else take_out(text, mapping, *found)
        return put(text, *found, value) if found else insert(text, mapping, path[0], value)
    if found is None:
        return text if value is None else insert(text, mapping, path[0], f"{{{path[1]}: {value}}}")
    name, inner = found
    if not isinstance(inner, yaml.MappingNode):
        return put(text, name, inner, f"{{{path[1]}: {value}}}")
    if inner.flow_style:
        held = find_value(inner, path[1])
        if held is None:
            at = inner.start_mark.index + 1
            return f"{text[:at]}{path[1]}: {value}{', ' if inner.value else ''}{text[at:]}"
        return text[: held[1].start_mark.index] + str(value) + text[end_of(held[1]) :]
    return set_key(text, inner, path[1:], value)


def put(text: str, name: yaml.Node, old: yaml.Node, value: str) -> str:
    """`text` with another value behind a key."""
    return f"{text[: name.end_mark.index]}: {value}{text[end_of(old) :]}"


def insert(text: str, mapping: yaml.MappingNode, key: str, value: str) -> str:
    """`text` with a key that was not there, on a line of its own."""
    earlier = BEFORE[: BEFORE.index(key)] if key in BEFORE else ()
    behind = [found for name in earlier if (found := find_value(mapping, name))] or [mapping.value[0]]
    at = line_end(text, end_of(behind[-1][1]))
    return f"{text[:at]}\n{' ' * mapping.value[0][0].start_mark.column}{key}: {value}{text[at:]}"


def take_out(text: str, mapping: yaml.MappingNode, name: yaml.Node, old: yaml.Node) -> str:
    """`text` without a key, its value and its lines."""
    if mapping.value[0][0] is name:
        line = f"line {name.start_mark.line + 1}"
        raise PolicyError([refused(line, "form", "stands first in its rule: change it in the YAML", name.value)])
    start = text.rindex("\n", 0, name.start_mark.index)
    return text[:start] + text[line_end(text, end_of(old)) :]


def end_of(node: yaml.Node) -> int:
    """Where a value ends. A block's own mark is where the next begins, behind comments that belong to that."""
    if isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return end_of(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def line_end(text: str, at: int) -> int:
    """The end of the line that `at` is on."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found
