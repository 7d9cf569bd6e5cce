"""What is shipped for Prometheus and Grafana: every metric that is asked for is one that the program has."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest

from warnhub.monitor import metrics

ROOT = Path(__file__).resolve().parents[2]
ASKED = re.compile(r"\bwarnhub_[a-z_]+")


def known() -> dict[str, set[str]]:
    """Every series the program exposes, with its labels."""
    found: dict[str, set[str]] = {}
    for one in vars(metrics).values():
        names = getattr(one, "_labelnames", None)
        if names is not None:
            for family in one.describe():
                stem, kind = family.name, family.type
                suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(kind, [""])
                for suffix in suffixes:
                    found[f"{stem}{suffix}"] = {*names} | ({"le"} if suffix == "_bucket" else set())
    return found


def expressions() -> list[str]:
    """Every expression of the dashboard and of the rules."""
    board = json.loads((ROOT / "deploy" / "grafana.json").read_text("utf-8"))
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return asked + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_every_metric_asked_for_is_there_with_its_labels() -> None:
    names = known()
    assert len(expressions()) > 15
    for expression in expressions():
        asked = ASKED.findall(expression)
        assert asked or expression.startswith("up{"), expression
        for name in asked:
            assert name in names, f"{name} in {expression}"
        labels = {label for part in re.findall(r"by \(([^)]*)\)", expression) for label in part.replace(" ", "").split(",")}
        labels |= set(re.findall(r"[{,]\s*([a-z_]+)(?:=|!=)", expression)) - {"job"}
        labels -= {"instance"}  # Prometheus' own: which process
        for name in asked:
            assert labels <= names[name], f"{labels - names[name]} of {name} in {expression}"


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for expression in expressions() for name in ASKED.findall(expression)}
    families = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in known()}
    seen = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in shown}
    assert families - seen - {"warnhub_source_failures", "warnhub_source_parked"} == set()


def test_every_expression_is_promql() -> None:
    for expression in expressions():
        promql_parser.parse(re.sub(r"\$__\w+", "5m", expression))
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse("sum by (provider (rate(warnhub_handed_total[5m]))")


def test_every_metric_asked_for_stands_in_what_prometheus_gets() -> None:
    """Also before anything has happened: a rule over a series that is not there never fires."""
    said = {line.split()[2] for line in generate_latest().decode().splitlines() if line.startswith("# TYPE ")}
    for expression in expressions():
        for name in ASKED.findall(expression):
            assert name in said or re.sub(r"_(bucket|count|sum|total)$", "", name) in said, name


def test_every_rule_has_a_name_of_its_own_a_length_and_a_place() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text("utf-8"))
    assert set(rules) == {"groups"}
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert len(names) == len(set(names))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations", "keep_firing_for"}
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
        there = set().union(*(known()[name] for name in ASKED.findall(rule["expr"])))
        for value in rule["annotations"].values():
            assert set(re.findall(r"\$labels\.(\w+)", value)) <= there, rule["alert"]


def test_each_rule_says_what_to_do() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text("utf-8"))
    for rule in rules["groups"][0]["rules"]:
        assert re.search(r"[\u4e00-\u9fff]", rule["annotations"]["summary"])
        assert rule["annotations"]["action"]
        assert rule["labels"]["severity"] in {"page", "warn"}


def test_the_registry_holds_what_the_rules_watch() -> None:
    assert REGISTRY.get_sample_value("warnhub_tally_drift") is not None
