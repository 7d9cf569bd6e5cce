"""Hazard points, plans and tasks as the desk and the field see them, without a browser."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text
from stage import PASSWORD, Hub, make_alert, number_of, receive
from window import PHONE

from warnhub.alert import Level
from warnhub.store.audits import verify_audit


@pytest.fixture
async def desk(base: str) -> AsyncIterator[httpx.AsyncClient]:
    """A duty officer at the console."""
    async with httpx.AsyncClient(base_url=base, follow_redirects=True) as client:
        page = await client.get("/console/login")
        await client.post("/console/login", data={"name": "wang", "password": PASSWORD, "nonce": token(page.text, "nonce")})
        yield client


def token(page: str, name: str = "csrf") -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return found.group(1)


@pytest.fixture
async def typhoon(hub: Hub) -> int:
    """A red typhoon whose plan has begun."""
    alert = make_alert(hub.hand, "ty-1", "11B01", Level.RED, "云岭县气象台", "云岭县气象台发布台风红色预警")
    alert = alert.model_copy(update={"onset": alert.sent + timedelta(hours=5)})
    number = await number_of(hub, (await receive(hub, "weather", alert)).warning)
    await hub.planner.plan(str(number), {})
    await hub.responder.planned(str(number), {})
    return number


async def test_a_point_is_taken_one_step_further_with_a_note(desk: httpx.AsyncClient, hub: Hub) -> None:
    page = await desk.get("/console/points")
    ref = re.search(r"/console/points/(P\d+)", page.text)
    assert ref
    one = await desk.get(f"/console/points/{ref[1]}")
    assert "已发现" in one.text
    form = {"csrf": token(one.text), "state": "rectifying", "note": "施工队进场"}
    assert (await desk.post(f"/console/points/{ref[1]}", data=form | {"note": " "})).status_code == 422
    assert (await desk.post(f"/console/points/{ref[1]}", data=form | {"state": "closed"})).status_code == 409
    done = await desk.post(f"/console/points/{ref[1]}", data=form)
    assert done.status_code == 200
    assert "整改中" in done.text
    assert "施工队进场" in done.text
    assert (await desk.get("/console/points/nothing")).status_code == 404
    async with hub.store.read() as conn:
        rows = (await conn.execute(text("SELECT actor FROM audit WHERE action = 'point.move'"))).all()
        assert [row.actor for row in rows] == ["user:wang"]
        assert (await verify_audit(conn))[1] is None


async def test_a_point_that_is_due_stands_on_the_first_page_until_its_next_step(desk: httpx.AsyncClient, hub: Hub) -> None:
    async with hub.store.write() as tx:
        ref = await tx.conn.scalar(text("SELECT min(ref) FROM point"))
        await tx.conn.execute(text("UPDATE point SET due_at = :now - 1 WHERE ref = :r"), {"now": tx.now, "r": ref})
        name = await tx.conn.scalar(text("SELECT name FROM point WHERE ref = :r"), {"r": ref})
    assert "到期的隐患点" not in (await desk.get("/console")).text
    await hub.responder.tick()
    hub.hand.now += 5 * 3_600_000
    await hub.responder.tick()
    await asyncio.sleep(1.0)  # the first page is read once a second
    first = (await desk.get("/console?lang=zh")).text
    assert f"{name}逾期未整改" in first
    assert f'href="/console/points/{ref}"' in first
    page = (await desk.get("/console/points?lang=zh")).text
    assert 'class="chip late"' in page
    assert (await desk.get("/console/points?lang=en")).status_code == 200
    one = (await desk.get(f"/console/points/{ref}?lang=zh")).text
    assert f"{name}逾期未整改" in one
    async with hub.store.read() as conn:
        task = await conn.scalar(text("SELECT id FROM assignment WHERE kind = 'rectify'"))
    refused = await desk.post(f"/console/tasks/{task}", data={"csrf": token(one), "said": "好了"})
    assert refused.status_code == 409
    await desk.post(f"/console/points/{ref}", data={"csrf": token(one), "state": "rectifying", "note": "施工队进场"})
    async with hub.store.read() as conn:
        done = (await conn.execute(text("SELECT state, actor, said FROM assignment WHERE id = :i"), {"i": task})).one()
    assert tuple(done) == ("done", "user:wang", "施工队进场")


async def test_the_desk_follows_a_plan_and_notes_what_it_is_told(desk: httpx.AsyncClient, hub: Hub, typhoon: int) -> None:
    async with hub.store.read() as conn:
        uid = await conn.scalar(text("SELECT uid FROM warning WHERE id = :w"), {"w": typhoon})
        run = await conn.scalar(text("SELECT uid FROM run WHERE warning_id = :w"), {"w": typhoon})
        task = await conn.scalar(text("SELECT id FROM assignment WHERE kind = 'step' AND evidence = 'text' ORDER BY id"))
    for path in (f"/console/warnings/{uid}/tasks", "/console/runs", f"/console/runs/{run}"):
        for lang in ("zh", "en"):
            assert (await desk.get(f"{path}?lang={lang}")).status_code == 200, path
    assert "会商研判" in (await desk.get(f"/console/runs/{run}?lang=zh")).text
    ask = await desk.get(f"/console/tasks/{task}")
    form = {"csrf": token(ask.text), "said": ""}
    assert (await desk.post(f"/console/tasks/{task}", data=form)).status_code == 422
    await desk.post(f"/console/tasks/{task}", data=form | {"said": "成员单位全部到位"})
    assert "成员单位全部到位" in (await desk.get(f"/console/runs/{run}")).text
    assert (await desk.get("/console/runs/none")).status_code == 404


async def test_whoever_has_a_task_ticks_it_from_their_link(base: str, hub: Hub, typhoon: int) -> None:
    query = (
        "SELECT k.id, k.owner_id, k.evidence, d.wave_id FROM assignment k JOIN delivery d ON d.recipient_id = k.owner_id "
        "JOIN wave v ON v.id = d.wave_id AND v.warning_id = :w WHERE k.role = 'township_duty' AND k.evidence = 'text' LIMIT 1"
    )
    async with hub.store.read() as conn:
        row = (await conn.execute(text(query), {"w": typhoon})).one()
    path = f"/a/{hub.keys.link_token(row.wave_id, row.owner_id)}/tasks"
    other = f"/a/{hub.keys.link_token(row.wave_id, row.owner_id + 1)}/tasks"
    async with httpx.AsyncClient(base_url=base, headers={"user-agent": PHONE}, follow_redirects=True) as phone:
        page = await phone.get(path)
        form = {"nonce": token(page.text, "nonce"), "task": str(row.id), f"said{row.id}": "已转移 12 户 40 人"}
        assert (await phone.post(path, data=form)).status_code == 400, "nobody reads so fast"
        hub.hand.now += 4_000
        assert (await phone.post(path, data=form, headers={"user-agent": "python-requests/2"})).status_code == 400
        assert (await phone.post(path, data=form | {f"said{row.id}": ""})).status_code == 422
        theirs = hub.keys.form_nonce(other.split("/")[2], hub.hand.now // 1000 - 60)
        assert (await phone.post(other, data=form | {"nonce": theirs})).status_code == 404
        done = await phone.post(path, data=form)
        assert done.status_code == 200
        assert f'value="{row.id}"' not in done.text
    async with hub.store.read() as conn:
        kept = (await conn.execute(text("SELECT state, actor, said FROM assignment WHERE id = :id"), {"id": row.id})).one()
    assert tuple(kept) == ("done", f"recipient:{row.owner_id}", "已转移 12 户 40 人")


async def test_a_resident_reports_and_the_desk_drafts_a_warning(base: str, hub: Hub, desk: httpx.AsyncClient) -> None:
    query = (
        "SELECT d.wave_id, d.recipient_id FROM delivery d JOIN recipient r ON r.id = d.recipient_id WHERE r.role = 'resident'"
    )
    async with hub.store.read() as conn:
        row = (await conn.execute(text(f"{query} ORDER BY 2 LIMIT 1"))).one()
    path = f"/a/{hub.keys.link_token(row.wave_id, row.recipient_id)}/report"
    async with httpx.AsyncClient(base_url=base, headers={"user-agent": PHONE}) as phone:
        form = {"nonce": token((await phone.get(path)).text, "nonce"), "hazard": "11D01", "text": "屋后裂缝有手掌宽"}
        assert (await phone.post(path, data=form)).status_code == 400, "too fast"
        hub.hand.now += 4_000
        for wrong, status in (({"hazard": "99999"}, 400), ({"text": " "}, 422), ({"nonce": "x"}, 400)):
            assert (await phone.post(path, data=form | wrong)).status_code == status
        for _ in range(2):
            assert "已上报" in (await phone.post(path, data=form)).text
    page = await desk.get("/console/proposals")
    uid = re.findall(r"/console/proposals/(prop[^\"]+)", page.text)
    assert len(uid) == 1
    one = await desk.get(f"/console/proposals/{uid[0]}")
    assert "屋后裂缝有手掌宽" in one.text
    form = {"csrf": token(one.text), "hazard": "11D01", "level": "orange", "opinion": "已现场核实"}
    assert (await desk.post(f"/console/proposals/{uid[0]}/accept", data=form | {"opinion": ""})).status_code == 422
    drafted = await desk.post(f"/console/proposals/{uid[0]}/accept", data=form)
    assert drafted.status_code == 200
    assert "等待放行" in drafted.text
    assert (await desk.post(f"/console/proposals/{uid[0]}/dismiss", data=form)).status_code == 409
    async with hub.store.read() as conn:
        state = await conn.scalar(text("SELECT state FROM warning WHERE agency_id = 'county' ORDER BY id DESC LIMIT 1"))
    assert state == "pending"


async def test_figures_stand_with_their_definitions_and_suggestions_are_decided(
    desk: httpx.AsyncClient, hub: Hub, warnings: dict[str, str]
) -> None:
    page = await desk.get(f"/console/warnings/{warnings['living']}/figures?lang=zh")
    assert page.status_code == 200
    assert "覆盖率＝已送达的对象 ÷ 目标对象" in page.text
    assert "网格员" in page.text
    assert (await desk.get(f"/console/warnings/{warnings['living']}/figures?lang=en")).status_code == 200
    async with hub.store.write() as tx:
        query = "UPDATE address SET bad = 'DEAD' WHERE recipient_id = (SELECT min(id) FROM recipient WHERE role = 'gridworker')"
        await tx.conn.execute(text(query))
    lessons = await desk.get("/console/lessons?lang=zh")
    assert "核对失效号码" in lessons.text
    async with hub.store.read() as conn:
        number = await conn.scalar(text("SELECT id FROM suggestion WHERE kind = 'dead_numbers'"))
    done = await desk.post("/console/lessons/accept", data={"csrf": token(lessons.text), "id": str(number)})
    assert "已采纳" in done.text
