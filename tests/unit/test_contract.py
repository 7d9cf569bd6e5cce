"""The published contracts: in step with the code, whole in themselves, and true of what the server says."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from warnhub.alert import Gate, Problem
from warnhub.api.problems import MEDIA, make_problem
from warnhub.app import create_app
from warnhub.config import Settings
from warnhub.desk import Received, Refusal
from warnhub.ingest.forms import MEDIA as TAKEN
from warnhub.inlet.door import refused_document, told

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED: dict[str, Any] = json.loads((ROOT / "schemas" / "openapi.json").read_text("utf-8"))


def validate(document: object, name: str) -> None:
    """Raise unless `document` is what the schema of that name says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": PUBLISHED["components"]}
    jsonschema.Draft202012Validator(schema).validate(document)


def operations() -> dict[str, dict[str, Any]]:
    """Every operation by its name."""
    return {one["operationId"]: one for methods in PUBLISHED["paths"].values() for one in methods.values()}


def test_nothing_published_has_drifted() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "contracts.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_server_says_of_itself_what_is_published() -> None:
    assert create_app(Settings.model_construct()).openapi() == PUBLISHED


def test_every_reference_leads_somewhere() -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(PUBLISHED)))
    assert named
    assert named <= set(PUBLISHED["components"]["schemas"])
    for name in PUBLISHED["components"]["schemas"]:
        jsonschema.Draft202012Validator.check_schema(PUBLISHED["components"]["schemas"][name])


def test_every_operation_says_how_it_refuses() -> None:
    found = operations()
    assert {"post_alert", "release", "cancel", "get_summary", "get_stream"} <= set(found)
    assert len(found) == sum(len(methods) for methods in PUBLISHED["paths"].values())
    for name, one in found.items():
        refusals = {status: answer for status, answer in one["responses"].items() if status >= "400"}
        assert {"401", "422"} <= set(refusals), name
        assert all(set(answer["content"]) == {MEDIA} for answer in refusals.values()), name
    assert all(path.startswith("/v1/") for path in PUBLISHED["paths"])


def test_the_forms_an_alert_may_come_in_are_those_that_are_read() -> None:
    body = operations()["post_alert"]["requestBody"]["content"]
    assert {"application/json", "application/cap+xml", "application/xml", "application/geo+json"} <= set(body) <= TAKEN


def test_the_example_is_an_alert_as_published() -> None:
    example = json.loads((ROOT / "schemas" / "examples" / "alert.json").read_text("utf-8"))
    validate(example, "Alert")
    with pytest.raises(jsonschema.ValidationError):
        validate(example | {"level": "purple"}, "Alert")


def test_a_refusal_is_as_published() -> None:
    problem = Problem(path="areas[0]", rule="NO_AREA", message="no place", value="x")
    validate(json.loads(bytes(make_problem(422, "the alert cannot be taken", [problem]).body)), "Refusal")


@pytest.mark.parametrize("state", ["released", "pending", "held", "kept", "ended"])
def test_an_answer_is_as_published(state: str) -> None:
    noted = Problem(path="areas[0]", rule="UNKNOWN_AREA", message="no such place", gate=Gate.HOLD)
    received = Received(alert="a-1", state=state, warning="w-1" if state == "released" else None, problems=[noted])
    validate(told(received), "Taken")
    with pytest.raises(jsonschema.ValidationError):
        validate(told(received) | {"state": "lost"}, "Taken")


# ---------------------------------------------------------------- the topics

TOPICS: dict[str, Any] = json.loads((ROOT / "schemas" / "asyncapi.json").read_text("utf-8"))


def follow(reference: str) -> Any:
    """Where a reference of the document leads."""
    found: Any = TOPICS
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_topics_hold_together() -> None:
    references = re.findall(r'"\$ref": "([^"]+)"', json.dumps(TOPICS))
    assert len(references) > 20
    assert all(follow(one) for one in references)
    addresses = {one["address"] for one in TOPICS["channels"].values()}
    assert {"warnhub.alerts.in", "warnhub.alerts.out", "warnhub.alerts.dead", "warnhub.work.red"} <= addresses
    assert {one["action"] for one in TOPICS["operations"].values()} == {"send", "receive"}
    for schema in TOPICS["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("status", [201, 422])
def test_an_answer_on_the_topic_is_as_published(status: int) -> None:
    schema = {"$ref": "#/components/schemas/Answer", "components": TOPICS["components"]}
    refusal = refused_document(Refusal(422, "the alert cannot be taken", [Problem(path="a", rule="B", message="c")]))
    said = told(Received(alert="a-1", state="held")) if status == 201 else refusal
    answer = {"status": status, "agency": "rain", "in_reply_to": "t/0/1", "answer": said}
    jsonschema.Draft202012Validator(schema).validate(answer)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(answer | {"answer": {}})
