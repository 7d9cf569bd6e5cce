"""The published contract of the API: what FastAPI reads off the routes, and what it cannot see there.

It cannot see the body of an alert (read as bytes, in the form the agency already has), the keys, and the form of a refusal.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import Receive, Scope, Send

from warnhub.alert import Alert, Problem
from warnhub.api.express import Express, answer_plain
from warnhub.api.problems import MEDIA

REF = "#/components/schemas/{model}"
FILLED = ("effective", "expires", "original")
ABOUT = (
    "Alerts in, warnings out. An agency posts with its own key and sees its own; a person uses an API token and sees all. "
    "Times in answers are milliseconds since 1970 (UTC) unless they are text. Every refusal is a problem document (RFC 9457) "
    "whose `errors` name field, rule and value."
)
KEYS = {
    "key": {"type": "http", "scheme": "bearer", "description": "an agency's key, or a person's API token"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key in a header of its own"},
}
REFUSED = {
    "401": "no key, or one that is not known",
    "403": "not in this caller's scope",
    "404": "there is no such thing, or it is not this caller's",
    "409": "it does not fit what is there already",
    "413": "too large",
    "415": "a form that is not taken",
    "422": "it cannot be read; each error names field, rule and value",
    "503": "the database does not answer just now: ask again after the seconds of Retry-After",
}
FOREIGN = "Our own JSON, or any of the forms an agency already has, JSON ones included: docs/guide.md names them."
XML = "OASIS CAP 1.0 to 1.2, or the national profile; see docs/guide.md"
FORMS = {
    "application/cap+xml": XML,
    "application/xml": XML,
    "text/csv": "readings of water stations or hazard points; UTF-8, UTF-16 or GB18030",
    "application/zip": "messages in any of these forms with their attachments, as the national profile packs them",
    "application/geo+json": "alerts of the weather service as GeoJSON features",
}
OUT = {"/v1/alerts/{uid}.cap": "application/cap+xml", "/v1/alerts/{uid}.national": "application/xml"}
QUIET = "what was read and is no alert, such as a reading below every threshold: for each, why"
EVERY = ("401", "422", "503")
DECIDE = ("403", "409")
MORE = {
    "get_cap": ("409",),
    "get_national": ("409",),
    "post_alert": ("403", "409", "413", "415"),
    "release": DECIDE,
    "reject": DECIDE,
    "cancel": DECIDE,
}


def alert_schema(ref: str = "#/$defs/{model}") -> dict[str, Any]:
    """What an agency may POST: the alert, without what is filled in on the way. Its parts are under `$defs`."""
    schema = Alert.model_json_schema(ref_template=ref)
    schema["required"] = [name for name in schema["required"] if name not in FILLED]
    return schema


class Described(FastAPI):
    """An application that says of itself what is published in `schemas/openapi.json`, and lets the busiest calls by."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.express = Express()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call: the busiest before the framework sees them."""
        route = self.express.find(scope) if scope["type"] == "http" else None
        if route is None:
            await super().__call__(scope, receive, send)
        else:
            await answer_plain(self, route, scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the routes that machines use; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = make_contract(self)
        return self.openapi_schema


def make_contract(app: FastAPI) -> dict[str, Any]:
    """The document, from the routes as they are now."""
    made = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
    made["paths"] = {path: methods for path, methods in made["paths"].items() if path.startswith("/v1/")}
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    alert = alert_schema(REF)
    schemas |= alert.pop("$defs") | {"Alert": alert, "Refusal": refusal_schema(), "Taken": taken_schema()}
    problem = Problem.model_json_schema(ref_template=REF)
    schemas |= problem.pop("$defs") | {"Problem": problem}
    made["components"]["securitySchemes"] = KEYS
    made["security"] = [{name: []} for name in KEYS]
    for path, methods in made["paths"].items():
        for operation in methods.values():
            describe_operation(operation, path)
    describe_post(made["paths"]["/v1/alerts"]["post"])
    for path, media in OUT.items():
        answer = made["paths"][path]["get"]["responses"]["200"]
        answer["content"] = {media: {"schema": {"type": "string"}}}
    made["paths"]["/v1/alerts/{uid}.cap"]["get"]["security"] = [{}, *made["security"]]
    stream = made["paths"]["/v1/warnings/{uid}/stream"]["get"]["responses"]["200"]
    stream["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    made["components"]["schemas"] = dict(sorted(schemas.items()))
    return made


def describe_operation(operation: dict[str, Any], path: str) -> None:
    """A name that code can have, and how it refuses."""
    name = operation["summary"].lower().replace(" ", "_")
    operation["operationId"] = name
    named = ("404",) if "{uid}" in path else ()
    for status in sorted({*EVERY, *named, *MORE.get(name, ())}):
        content = {MEDIA: {"schema": {"$ref": REF.format(model="Refusal")}}}
        operation["responses"][status] = {"description": REFUSED[status], "content": content}


def describe_post(operation: dict[str, Any]) -> None:
    """The body in its forms, the key against repeats, and the answer."""
    other = {media: {"schema": {"type": "string", "description": words}} for media, words in FORMS.items()}
    alert = {"schema": {"$ref": REF.format(model="Alert")}}
    content = {"application/json": alert} | other
    operation["requestBody"] = {"required": True, "description": FOREIGN, "content": content}
    key = {"type": "string", "minLength": 1, "maxLength": 255}
    about = "the same key with the same alert is answered as the first time; with another alert it is refused"
    trace = {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}
    joined = "W3C Trace Context: where the county records traces, what becomes of the alert is part of the agency's own"
    operation["parameters"] = [
        {"name": "Idempotency-Key", "in": "header", "schema": key, "description": about},
        {"name": "traceparent", "in": "header", "schema": trace, "description": joined},
    ]
    one = {"$ref": REF.format(model="Taken")}
    notes = {"type": "array", "items": {"type": "array", "items": {"$ref": REF.format(model="Problem")}}}
    lists = {"alerts": {"type": "array", "items": one}, "readings": notes | {"description": QUIET}}
    many = {"type": "object", "required": ["alerts", "readings"], "properties": lists}
    for status, words in (("201", "taken"), ("200", "taken before; nothing happens again")):
        operation["responses"][status] = {
            "description": f"{words}. `alerts` where the document held several",
            "content": {"application/json": {"schema": {"anyOf": [one, many]}}},
        }


def taken_schema() -> dict[str, Any]:
    """What an agency is told of its alert."""
    states = {
        "released": "it leaves now",
        "pending": "an officer must release it",
        "held": "an officer must look at it first: `notes` say why",
        "kept": "kept, and never sent: an acknowledgement, an error, a draft or a system message",
        "ended": "a cancel of what nobody had been told: nothing more to do",
    }
    words = "; ".join(f"{name}: {meaning}" for name, meaning in states.items())
    properties = {
        "id": {"type": "string"},
        "state": {"type": "string", "enum": list(states), "description": words},
        "warning": {"type": ["string", "null"], "description": "the warning it led to"},
        "repeated": {"type": "boolean"},
        "reasons": {"type": "array", "items": {"type": "string"}, "description": "why it was decided so"},
        "notes": {"type": "array", "items": {"$ref": REF.format(model="Problem")}},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    return {"type": "object", "title": "Taken", "required": list(properties), "properties": properties}


def refusal_schema() -> dict[str, Any]:
    """RFC 9457, with one entry of `errors` for each thing wrong."""
    error = {name: {"type": "string"} for name in ("path", "rule", "message")} | {"value": {}}
    errors = {"type": "array", "items": {"type": "object", "required": ["path", "rule", "message"], "properties": error}}
    properties = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "errors": errors,
    }
    return {"type": "object", "title": "Refusal", "required": list(properties), "properties": properties}
