"""What an agency hears when it says a thing twice, says two things at once, or says what it may not."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from townhall import HOST, TOWNS, Opener, Town, make_alert

BLUE = {"level": "blue", "areas": (TOWNS[0],)}


def problem(answer: httpx.Response, status: int, path: str, rule: str) -> dict[str, Any]:
    """The one thing wrong, in a problem document that names it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    said = answer.json()
    assert (said["status"], bool(said["title"])) == (status, True)
    (error,) = [one for one in said["errors"] if one["rule"] == rule]
    assert error["path"] == path
    assert error["message"]
    return dict(error)


async def test_the_same_again_is_the_first_answer(town: Town) -> None:
    """However often and however many at once: one alert, one warning, everybody told once."""
    body = make_alert("d-1", **BLUE)
    answers = await asyncio.gather(*(town.post(body, idempotency_key="one") for _ in range(4)))
    answers.append(await town.post(body, idempotency_key="another"))
    answers.append(await town.post(body))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    first = next(answer for answer in answers if answer.status_code == 201).json()
    for answer in answers:
        said = answer.json()
        assert (said["id"], said["warning"], said["state"]) == (first["id"], first["warning"], "released")
        assert said["repeated"] is (answer.status_code == 200)
        assert answer.headers["location"] == first["links"]["alert"]
    found = await town.settle(first["warning"])
    assert found.planned == len(town.watchman.messages()) > 20
    assert await town.number("SELECT count(*) FROM alert") == 1


async def test_another_thing_under_the_same_name(town: Town) -> None:
    """409 for its own name; 422 for a key that was used; the first stays as it is."""
    body = json.loads(make_alert("d-2", **BLUE))
    assert (await town.post(json.dumps(body).encode(), idempotency_key="one")).status_code == 201
    other = body | {"texts": [{"headline": "另一回事", "description": "另一回事。"}]}
    error = problem(await town.post(json.dumps(other).encode()), 409, "identifier", "SAME_ID_OTHER_CONTENT")
    assert error["value"] == "d-2"
    new = make_alert("d-3", **BLUE)
    error = problem(await town.post(new, idempotency_key="one"), 422, "Idempotency-Key", "KEY_REUSED")
    assert error["value"] == "one"
    assert (await town.post(new, idempotency_key="two")).status_code == 201
    assert await town.number("SELECT count(*) FROM alert") == 2


async def test_a_document_of_several_has_one_key(town: Town) -> None:
    """Two alerts in one document with one Idempotency-Key are taken, and the same document again is a repeat."""
    both = [json.loads(make_alert(name, areas=(area,), level="blue")) for name, area in (("m-1", TOWNS[0]), ("m-2", TOWNS[1]))]
    answers = [await town.post(json.dumps(both).encode(), idempotency_key="both") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200], answers[0].text
    first, again = ([one["id"] for one in answer.json()["alerts"]] for answer in answers)
    assert first == again
    problem(await town.post(make_alert("m-3", **BLUE), idempotency_key="both"), 422, "Idempotency-Key", "KEY_REUSED")
    for one in answers[0].json()["alerts"]:
        await town.settle(one["warning"])


async def test_a_document_is_taken_whole_or_not_at_all(town: Town) -> None:
    """One of two alerts is out of scope: neither is kept, and nobody is told."""
    both = [json.loads(make_alert("w-1", **BLUE)), json.loads(make_alert("w-2", **BLUE | {"hazard": "11D01"}))]
    problem(await town.post(json.dumps(both).encode()), 403, "[1].hazard", "HAZARD_NOT_YOURS")
    assert await town.number("SELECT count(*) FROM alert") == 0


LAND = {"hazard": "11D01", "sender": "云岭县自然资源局"}
OUTSIDE: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("weather", {"hazard": "11D01"}, "hazard", "HAZARD_NOT_YOURS", "11D01"),
    ("land", LAND | {"level": "red"}, "level", "LEVEL_NOT_YOURS", "red"),
    ("land", LAND | {"level": "yellow", "areas": TOWNS}, "areas", "AREA_NOT_YOURS", "990123"),
    ("weather", {"sender": "市气象台"}, "sender", "SENDER_NOT_YOURS", "市气象台"),
]


async def test_out_of_scope(town: Town) -> None:
    """Class, level, area, sender: 403 says what may be said and what was; it is on the record, and nothing else is."""
    for agency, given, path, rule, value in OUTSIDE:
        error = problem(await town.post(make_alert(f"s-{path}", **given), agency), 403, path, rule)
        assert str(error["value"]).startswith(value)
        (entry,) = await town.ask(
            "SELECT actor, data FROM audit WHERE action = 'alert.refused' AND subject = :s", s=f"s-{path}"
        )
        assert (entry.actor, rule in entry.data) == (f"agency:{agency}", True)
    assert await town.number("SELECT count(*) FROM alert") == 0


async def test_strangers(town: Town) -> None:
    """Without a key and with a wrong one: 401, on the record without the key; a person's token posts no alert."""
    body, media = make_alert("k-1", **BLUE), {"content-type": "application/json"}
    problem(await town.http.post("/v1/alerts", content=body, headers=media), 401, "Authorization", "MISSING_KEY")
    wrong = media | {"authorization": "Bearer whk_not-a-key-of-ours"}
    problem(await town.http.post("/v1/alerts", content=body, headers=wrong), 401, "Authorization", "UNKNOWN_KEY")
    entries = await town.ask("SELECT subject, data FROM audit WHERE action = 'key.refused'")
    assert {entry.subject for entry in entries} == {"/v1/alerts"}
    assert not any("not-a-key" in entry.data for entry in entries)
    person = media | {"authorization": f"Bearer {town.base.tokens['zhang']}"}
    assert (await town.http.post("/v1/alerts", content=body, headers=person)).status_code == 403
    assert await town.number("SELECT count(*) FROM alert") == 0


async def test_what_cannot_be_read(visit: Opener) -> None:
    """413 before it is read, 415 for another form, 422 for a form that is broken: each says where."""
    async with visit(limits={"max_bytes": 20_000}) as town:
        big = make_alert("x-1", more={"restriction": "长" * 20_000})
        problem(await town.post(big), 413, "body", "TOO_LARGE")

        async def drops() -> Any:
            for start in range(0, len(big), 4_000):
                yield big[start : start + 4_000]

        headers = {"authorization": f"Bearer {town.base.agencies['weather']}", "content-type": "application/json"}
        problem(await town.http.post("/v1/alerts", content=drops(), headers=headers), 413, "body", "TOO_LARGE")
        error = problem(await town.post(b"a,b", media="image/png"), 415, "Content-Type", "UNSUPPORTED_MEDIA")
        assert error["value"] == "image/png"
        problem(await town.post(b"{"), 422, "/", "JSON_INVALID")
        misspelt = json.loads(make_alert("x-2")) | {"expire": "2026-01-01T00:00:00Z"}
        assert "expire" in [one["path"] for one in (await town.post(json.dumps(misspelt).encode())).json()["errors"]]
        problem(await town.post(make_alert("x-3"), idempotency_key="k" * 300), 422, "Idempotency-Key", "LENGTH")
        assert await town.number("SELECT count(*) FROM alert") == 0


async def test_a_caller_who_hangs_up(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """The line breaks in the middle of a POST: one quiet line in the log, no traceback, nothing taken."""
    head = f"POST /v1/alerts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {town.base.agencies['weather']}\r\n"
    with capture_logs() as said:
        _, writer = await asyncio.open_connection(HOST, town.settings.port)
        writer.write(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

        async def noted() -> bool:
            return any(entry["event"] == "request.abandoned" and entry["path"] == "/v1/alerts" for entry in said)

        await town.until(noted, "the desk has noticed")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert await town.number("SELECT count(*) FROM alert") == 0
