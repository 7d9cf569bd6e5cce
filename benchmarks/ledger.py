"""A warning with as many deliveries as are asked for, written by sets: what the pages are measured over.

Nothing of it was sent. The rows, their counts and the people's states agree as they would have, which `check_ledger` holds.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from warnhub.alert import Alert, Area, Code, Kind, Level, Original, Status, Text
from warnhub.plan.audience import Places
from warnhub.plan.cutting import ROOM
from warnhub.store.alerts import add_alert
from warnhub.store.engine import Store, Tx
from warnhub.store.warnings import add_warning

CHANNELS = (("sms", "sms.aliyun"), ("wechat", "wechat.template"), ("push", "push.jpush"))
SIZE = 1_000
AT = "CAST(:at AS bigint)"
STATE = (
    "CASE WHEN ({n}) % 100 < 62 THEN 60 WHEN ({n}) % 100 < 82 THEN 70 WHEN ({n}) % 100 < 95 THEN 40 "
    "WHEN ({n}) % 100 < 98 THEN 50 ELSE 30 END"
)
"""Delivered, read, accepted, failed, unknown: of a hundred."""

DELIVERIES = f"""
INSERT INTO delivery (batch_id, recipient_id, wave_id, address_id, state, reason, code, provider_id, handed_at, settled_at)
SELECT s.id * {ROOM} + (row_number() OVER (PARTITION BY s.id ORDER BY t.recipient_id) - 1) / {SIZE},
       t.recipient_id, s.wave_id, a.id, {{state}},
       CASE {{state}} WHEN 50 THEN 'recipient' WHEN 30 THEN 'unknown' END,
       CASE {{state}} WHEN 50 THEN 'MOBILE_NOT_ON_SERVICE' WHEN 30 THEN 'timeout' END,
       NULL, {AT} + t.recipient_id % 240000, {AT} + 4000 + t.recipient_id % 240000
FROM step s JOIN target t ON t.warning_id = :w AND t.town_id = s.town_id AND t.role = s.role
JOIN address a ON a.recipient_id = t.recipient_id AND a.channel = 'sms' WHERE s.wave_id = :wave
"""
BATCHES = f"""
INSERT INTO batch (id, wave_id, warning_id, channel, round, provider, role, town_id, lane, rank, size, open, state, attempt,
                   due_at, ready_at, note)
SELECT d.batch_id, :wave, :w, :channel, :round, :provider, s.role, s.town_id, 1, 3, count(*), 0, 2, 1, :at, :at, ''
FROM step s JOIN delivery d ON d.batch_id >= s.id * {ROOM} AND d.batch_id < (s.id + 1) * {ROOM}
WHERE s.wave_id = :wave GROUP BY d.batch_id, s.role, s.town_id
"""
TALLIES = """
INSERT INTO tally (warning_id, channel, provider, role, town_id, state, n)
SELECT b.warning_id, b.channel, b.provider, b.role, b.town_id, d.state, count(*)
FROM batch b JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = :w GROUP BY 1, 2, 3, 4, 5, 6
"""
PEOPLE = """
INSERT INTO tally (warning_id, channel, provider, role, town_id, state, n)
SELECT warning_id, '', '', role, town_id, state, count(*) FROM target WHERE warning_id = :w
GROUP BY role, town_id, state, warning_id
"""
VILLAGES = """
INSERT INTO village_tally (warning_id, village_id, state, n)
SELECT warning_id, village_id, state, count(*) FROM target WHERE warning_id = :w GROUP BY village_id, state, warning_id
"""
BEST = """
UPDATE target SET state = (SELECT max(CASE d.state WHEN 50 THEN 25 ELSE d.state END) FROM wave v
JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = target.recipient_id WHERE v.warning_id = :w) WHERE warning_id = :w
"""
LATENCIES = """
INSERT INTO latency (warning_id, channel, hop, bucket, n)
SELECT warning_id, channel, 'handed', 60, sum(n) FROM tally WHERE warning_id = :w AND channel <> '' GROUP BY 1, 2
UNION ALL SELECT warning_id, channel, 'delivered', 120, sum(n) FROM tally
WHERE warning_id = :w AND channel <> '' AND state >= 60 GROUP BY 1, 2
"""
PACE = """
INSERT INTO pace (warning_id, channel, step, n)
SELECT b.warning_id, b.channel, d.handed_at / 5000, count(*) FROM batch b JOIN delivery d ON d.batch_id = b.id
WHERE b.warning_id = :w AND d.handed_at IS NOT NULL GROUP BY 1, 2, 3
"""
ASKED = "('gridworker', 'village_head', 'township_duty', 'county_duty', 'leader')"
TASKS = f"""
INSERT INTO task (warning_id, recipient_id, kind, role, town_id, area_id, state, rung, due_at, done_at, choice, evidence)
SELECT t.warning_id, t.recipient_id, 'confirm', t.role, t.town_id, r.area_id,
       CASE WHEN t.recipient_id % 10 < 7 THEN 'done' WHEN t.recipient_id % 10 < 8 THEN 'open' ELSE 'late' END, 0, {AT} + 180000,
       CASE WHEN t.recipient_id % 10 < 7 THEN {AT} + 30000 + t.recipient_id % 140000 END,
       CASE WHEN t.recipient_id % 10 < 7 THEN 'received' END, CASE WHEN t.recipient_id % 10 < 7 THEN 'human' END
FROM target t JOIN recipient r ON r.id = t.recipient_id WHERE t.warning_id = :w AND t.role IN {ASKED}
"""
ACKS = """
INSERT INTO ack (warning_id, recipient_id, wave_id, evidence, human, choice, at)
SELECT k.warning_id, k.recipient_id, :wave, 'human', :yes, 'received', k.done_at FROM task k
WHERE k.warning_id = :w AND k.state = 'done'
"""


def make_alert(now: int, code: str) -> Alert:
    """A rainstorm over a place."""
    at = datetime.fromtimestamp(now / 1000, UTC)
    return Alert(
        identifier=f"bench-{code}-{now}",
        sender="气象台",
        sent=at,
        status=Status.ACTUAL,
        kind=Kind.ALERT,
        hazard="11B03",
        level=Level.RED,
        effective=at,
        expires=at + timedelta(hours=6),
        areas=[Area(name="全县", codes=[Code(value=code)])],
        texts=[Text(headline="气象台发布暴雨红色预警", description="预计三小时内有灾害。", instruction="请立即转移。")],
        original=Original(form="benchmark"),
    )


async def fill_ledger(store: Store, deliveries: int, policy: int, agency: str, code: str = "990123") -> tuple[str, int, int]:
    """A released warning with at least so many deliveries; (its id, its number, how many there are). One commit a wave."""
    async with store.read() as conn:
        places = await Places.load(conn)
    async with store.write() as tx:
        alert = make_alert(tx.now - 400_000, code)
        number, _ = await add_alert(tx, alert, agency, "released", b"", "application/json", [])
        given = {"policy": policy, "hazard_class": "meteorological", "agency_id": agency, "drill": None, "approvals": 0}
        made = await add_warning(tx, number, alert, previous_id=None, **given)
        at = tx.now - 300_000
        done = "UPDATE warning SET state = 'released', released_at = :at, planned_at = :at, version = 2 WHERE id = :w"
        await tx.conn.execute(text(done), {"at": at, "w": made.id})
        people = await add_targets(tx, made.id, places, alert)
    waves, count = -(-deliveries // max(1, people)), 0
    wave = 0
    for turn in range(waves):
        async with store.write() as tx:
            wave, written = await add_wave(tx, made.id, turn, at)
            count += written
    async with store.write() as tx:
        bind = {"w": made.id, "at": at, "wave": wave, "yes": True}
        await run(tx, BEST, bind)
        await run(tx, TASKS, bind)
        await run(tx, ACKS, bind)
        await run(tx, f"UPDATE target SET state = 80 WHERE warning_id = :w AND role IN {ASKED} AND recipient_id % 10 < 7", bind)
        for statement in (TALLIES, PEOPLE, VILLAGES, LATENCIES, PACE):
            await run(tx, statement, bind)
    return made.uid, made.id, count


async def add_targets(tx: Tx, warning: int, places: Places, alert: Alert) -> int:
    """The whole county: where it is, and who is in it and has a telephone."""
    rows = places.rows(places.select(alert.areas))
    values = [{"w": warning, "a": area, "t": town, "h": home} for area, town, home in rows]
    await tx.conn.execute(text("INSERT INTO extent (warning_id, area_id, town_id, home) VALUES (:w, :a, :t, :h)"), values)
    found = await tx.run_long(
        text(
            "INSERT INTO target (warning_id, recipient_id, town_id, role, state, village_id) "
            "SELECT :w, r.id, x.town_id, r.role, 0, v.village_id "
            "FROM extent x JOIN area v ON v.id = x.area_id JOIN recipient r ON r.area_id = x.area_id "
            "JOIN address a ON a.recipient_id = r.id AND a.channel = 'sms' WHERE x.warning_id = :w AND r.gone_at IS NULL"
        ),
        {"w": warning},
    )
    return found.rowcount


async def add_wave(tx: Tx, warning: int, turn: int, at: int) -> tuple[int, int]:
    """One channel of one round: everybody once; (its number, its deliveries)."""
    channel, provider = CHANNELS[turn % len(CHANNELS)]
    bind: dict[str, Any] = {
        "w": warning,
        "at": at,
        "channel": channel,
        "provider": provider,
        "round": turn // len(CHANNELS) + 1,
    }
    await tx.conn.execute(
        text("INSERT INTO wave (warning_id, round, channel, cause, at) VALUES (:w, :round, :channel, 'plan', :at)"), bind
    )
    wave = int(await tx.conn.scalar(text("SELECT max(id) FROM wave WHERE warning_id = :w"), bind) or 0)
    bind["wave"] = wave
    await run(
        tx,
        "INSERT INTO step (wave_id, role, town_id, part, at) "
        "SELECT DISTINCT CAST(:wave AS bigint), role, town_id, CAST(:provider AS text), CAST(:at AS bigint) "
        "FROM target WHERE warning_id = :w",
        bind,
    )
    state = STATE.format(n=f"t.recipient_id * 7 + {turn * 13}")
    written = await run(tx, DELIVERIES.format(state=state), bind)
    await run(tx, BATCHES, bind)
    return wave, written


async def run(tx: Tx, statement: str, bind: dict[str, Any]) -> int:
    """A statement with what of `bind` it names; gives how many rows it wrote."""
    return (await tx.run_long(text(statement), {name: bind[name] for name in text(statement).compile().params})).rowcount
