"""The published contract of the topics, AsyncAPI 3.0: a further topic is one line of `TOPICS`."""

from typing import Any, NamedTuple

from warnhub.alert import Problem
from warnhub.api.contract import alert_schema, refusal_schema, taken_schema
from warnhub.bus.topics import DEAD as WORK_DEAD
from warnhub.bus.topics import WORK, Entry
from warnhub.ingest.forms import MEDIA
from warnhub.inlet import calls, topics
from warnhub.inlet.signed import NAMES

REF = "#/components/schemas/{model}"
TEXT: dict[str, Any] = {"type": "string"}


class Topic(NamedTuple):
    """One topic: `does` is what WarnHub does with it; `payload` names a schema, "" for a document as it would be POSTed."""

    name: str
    does: str
    about: str
    payload: str
    key: str
    headers: tuple[str, ...] = ()


KEYS = ("authorization", "x-api-key", *NAMES)
TOPICS: tuple[Topic, ...] = (
    Topic(
        topics.IN,
        "receive",
        "An alert in any form that is read, as it would be POSTed. The agency's key is in a header, or the record is signed "
        "(method KAFKA, path the topic) and its key is the agency's id",
        "",
        "the agency's id; records of one key keep their order",
        ("content-type", "idempotency-key", "traceparent", *KEYS),
    ),
    Topic(
        topics.OUT,
        "send",
        "What became of each record: the status and the body that a POST would have been answered with. Headers of the record "
        "come back, but for its keys",
        "Answer",
        "the agency's id",
        ("in-reply-to",),
    ),
    Topic(
        topics.DEAD,
        "send",
        "Records that were refused, as they came, with the problem document in a header",
        "",
        "as it came",
        ("in-reply-to", "problem"),
    ),
    Topic(
        calls.IN,
        "receive",
        "A provider's call-back as it made it: the body, its headers, its public URL with the query, its method (POST unless "
        "told). The adapter checks its signature as over HTTP",
        "Call",
        "the provider's name here, such as sms.aliyun",
        ("url", "method", "content-type"),
    ),
    Topic(
        calls.DEAD,
        "send",
        "Call-backs that were refused, as they came, with the reason in a header; their URL is left out, for it may hold a key",
        "Call",
        "as it came",
        ("in-reply-to", "reason"),
    ),
    *(
        Topic(name, "send", "Between WarnHub's processes: what must follow a commit. Not for others", "Entry", "its subject")
        for _, name in sorted(WORK.items())
    ),
    Topic(WORK_DEAD, "send", "Entries of work that no process could read, as they came", "", "as it came"),
)


def publish_topics(prefix: str = "warnhub") -> dict[str, Any]:
    """The whole document. Topics begin with `kafka_prefix`."""
    alert = alert_schema(REF)
    schemas = alert.pop("$defs") | {"Alert": alert, "Refusal": refusal_schema(), "Taken": taken_schema()}
    problem = Problem.model_json_schema(ref_template=REF)
    schemas |= problem.pop("$defs") | {"Problem": problem, "Answer": answer_schema(), "Entry": entry_schema()}
    schemas["Call"] = TEXT | {"title": "Call", "description": "the body, in whatever form the provider has"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "WarnHub topics",
            "version": "1",
            "description": "Alerts and call-backs by Kafka. At least once: the same record twice is answered as the first "
            f"time. Topics begin with `kafka_prefix`, here `{prefix}`.",
        },
        "defaultContentType": "application/json",
        "channels": {channel(one): channel_of(one, prefix) for one in TOPICS},
        "operations": {f"{one.does}.{one.name}": operation_of(one) for one in TOPICS},
        "components": {
            "messages": {channel(one): message_of(one) for one in TOPICS},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def channel(topic: Topic) -> str:
    """A name that a reference can have."""
    return topic.name.replace(".", "-")


def channel_of(topic: Topic, prefix: str) -> dict[str, Any]:
    """Where it is and what travels there."""
    name = channel(topic)
    return {
        "address": f"{prefix}.{topic.name}",
        "description": topic.about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {"kafka": {"topic": f"{prefix}.{topic.name}", "bindingVersion": "0.5.0"}},
    }


def operation_of(topic: Topic) -> dict[str, Any]:
    """What WarnHub does with it."""
    return {"action": topic.does, "channel": {"$ref": f"#/channels/{channel(topic)}"}, "summary": topic.about.partition(".")[0]}


def message_of(topic: Topic) -> dict[str, Any]:
    """A record."""
    alert = {"$ref": REF.format(model="Alert")}
    document = {"anyOf": [alert, {"type": "array", "items": alert}, TEXT], "description": f"as {', '.join(sorted(MEDIA))}"}
    headers = {"type": "object", "properties": {name: TEXT for name in topic.headers}}
    return {
        "name": topic.name,
        "headers": headers,
        "payload": {"$ref": REF.format(model=topic.payload)} if topic.payload else document,
        "bindings": {"kafka": {"key": TEXT | {"description": topic.key}, "bindingVersion": "0.5.0"}},
    }


def answer_schema() -> dict[str, Any]:
    """An answer on the topic of answers."""
    one = {"$ref": REF.format(model="Taken")}
    many = {"type": "object", "required": ["alerts"], "properties": {"alerts": {"type": "array", "items": one}}}
    properties = {
        "status": {"type": "integer", "description": "200 a repeat, 201 taken, 4xx refused, 500 not worked on"},
        "agency": TEXT | {"description": "its id; empty where nobody knows who sent it"},
        "in_reply_to": TEXT | {"description": "topic/partition/offset of the record"},
        "answer": {"anyOf": [one, many, {"$ref": REF.format(model="Refusal")}]},
    }
    return {"type": "object", "title": "Answer", "required": list(properties), "properties": properties}


def entry_schema() -> dict[str, Any]:
    """A line of the outbox, as it travels."""
    kinds = {"id": "integer", "topic": "string", "key": "string", "data": "object", "lane": "integer", "at": "integer"}
    assert tuple(kinds) == Entry._fields
    properties = {name: {"type": kind} for name, kind in kinds.items()}
    return {"type": "object", "title": "Entry", "required": list(kinds), "properties": properties}
