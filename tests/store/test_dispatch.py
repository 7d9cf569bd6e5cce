"""From a batch in a worker's hand to what the ledger says of it, and what is done about outcomes nobody knows."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from conftest import Opener
from town import County, Hand, build_county

from warnhub.bus.local import LocalBus
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.dispatch.living import Living
from warnhub.dispatch.resolve import ASKS, Resolver
from warnhub.dispatch.retry import ATTEMPTS
from warnhub.dispatch.wordbook import Wordbook
from warnhub.dispatch.worker import Worker, open_lanes
from warnhub.port import ChannelSettings, Crowd, Outgoing, Reason, Receipt, SendError, State
from warnhub.store.batches import claim_batch, lose_batches
from warnhub.store.states import FAILED_PERSON, Rank, Stage
from warnhub.store.timers import read_json
from warnhub.store.warnings import Warning
from warnhub.testing import Outbox

Said = Receipt | SendError | Exception


class Line(Outbox):
    """A provider that says of each address what it is told to say."""

    def __init__(self, says: Mapping[str, Said] | None = None, usually: Said | None = None) -> None:
        super().__init__()
        self.says = dict(says or {})
        self.usually = usually

    async def send(self, message: Outgoing) -> Receipt:
        """What is written down for this address."""
        said = self.says.get(message.address, self.usually or Receipt(f"id-{message.reference}"))
        if isinstance(said, Exception):
            raise said
        self.sent.append(message)
        return said


class Posts(Line):
    """It takes many in one call, and keeps what it was given."""

    most: ClassVar[int] = 1_000

    def __init__(self, says: Mapping[str, Said] | None = None, usually: Said | None = None) -> None:
        super().__init__(says, usually)
        self.calls: list[Sequence[Outgoing]] = []

    async def send_many(self, messages: Sequence[Outgoing]) -> Sequence[Receipt | SendError]:
        """One id for all who are taken."""
        self.calls.append(messages)
        self.sent += messages
        taken = Receipt("one-id")
        said = [self.says.get(message.address, taken) for message in messages]
        return [one for one in said if isinstance(one, Receipt | SendError)]


class Remembers(Line):
    """It can be asked what became of a message."""

    async def find(self, message: Outgoing) -> Receipt | None:
        """What it knows."""
        said = self.says.get(message.address)
        if isinstance(said, Exception):
            raise said
        return said


class Repeats(Line):
    """It knows a repeat."""

    repeatable: ClassVar[bool] = True


@dataclass(slots=True)
class Shop:
    """A worker on the county, one batch at a time."""

    county: County
    worker: Worker
    resolver: Resolver
    warning: Warning

    async def work(self, provider: str = "sms.aliyun") -> int:
        """Claim and process one batch; gives its number, 0 if there was none."""
        async with self.county.store.write() as tx:
            batch = await claim_batch(tx, provider, (1, 2, 3, 4), "n", 60_000)
        if batch is None:
            return 0
        drive = self.worker.lines[provider]
        drive.running += 1
        await self.worker.process(drive, batch)
        return batch.id

    async def all(self, provider: str = "sms.aliyun") -> None:
        """Everything that is due."""
        while await self.work(provider):
            continue

    async def states(self, provider: str = "sms.aliyun", round_: int = 1) -> dict[str, tuple[int, str | None]]:
        """Ref → (state, code)."""
        rows = await self.county.rows(
            "SELECT d.recipient_id, d.state, d.code FROM delivery d JOIN batch b ON b.id = d.batch_id "
            "WHERE b.provider = :p AND b.round = :r",
            p=provider,
            r=round_,
        )
        return {self.county.refs[row[0]]: (row[1], row[2]) for row in rows}

    async def resolve(self, number: int, asked: int = 0) -> None:
        """Look into a batch."""
        await self.resolver.resolve(str(number), {"asked": asked})

    async def timers(self) -> list[dict[str, Any]]:
        """What will be asked about again."""
        rows = await self.county.rows("SELECT data FROM timer WHERE kind = 'resolve' ORDER BY id")
        return [read_json(row.data) for row in rows]


Opening = Callable[..., Any]


@pytest.fixture
async def shop(opened: Opener, keys: KeyRing) -> Opening:
    """Opens the shop with the adapters given by name; the real time, for the gate asks this machine's clock."""
    hand = Hand(int(time.time() * 1000))
    county = await build_county(opened(hand), hand, keys)

    async def open_shop(rate: float = 1_000.0, **adapters: Line) -> Shop:
        quick = {"settings": ChannelSettings(rate=rate)}
        made = {
            name: replace(one, adapter=adapters.get(name.partition(".")[2], one.adapter), **quick)
            for name, one in county.providers.items()
        }
        settings = load_settings(secret_key=make_key())
        worker = Worker(
            county.store,
            LocalBus(county.store),
            settings,
            keys,
            made,
            Wordbook(county.store, county.policies, settings.county),
            Living(county.store),
            "n",
        )
        warning = await county.plan(await county.warn())
        return Shop(county, worker, Resolver(county.store, county.planner, worker), warning)

    return open_shop


def sms(number: int) -> str:
    return f"+86145000000{number:02d}"


H1, H2, G1, G2, R1, R7 = (sms(number) for number in (3, 4, 5, 6, 11, 17))


async def test_what_the_provider_takes_is_accepted_with_its_id(shop: Opening) -> None:
    line = Line()
    here = await shop(aliyun=line)
    await here.all()
    states = await here.states()
    assert set(states.values()) == {(Rank.ACCEPTED, None)}
    assert len(line.sent) == len(states) == 9
    first = line.sent[0]
    assert (first.lane, first.drill, first.callback[:32]) == (1, False, "http://127.0.0.1:8080/hooks/sms/")
    assert first.address == sms(1)
    assert await here.county.rows("SELECT 1 FROM batch WHERE provider = 'sms.aliyun' AND state <> 2") == []
    await here.county.sound(here.warning)


async def test_a_refusal_is_one_persons_and_marks_a_dead_number(shop: Opening) -> None:
    dead, never = SendError(Reason.RECIPIENT, "21211"), SendError(Reason.REJECTED, "30007")
    here = await shop(aliyun=Line({H1: dead, G1: never}))
    await here.all()
    states = await here.states()
    assert (states["H1"], states["G1"], states["H2"]) == ((Rank.FAILED, "21211"), (Rank.FAILED, "30007"), (Rank.ACCEPTED, None))
    bad = await here.county.rows("SELECT recipient_id, bad FROM address WHERE bad IS NOT NULL")
    assert [(here.county.refs[row.recipient_id], row.bad) for row in bad] == [("H1", "21211")]
    assert (await here.county.targets(here.warning))["H1"] == FAILED_PERSON
    await here.county.sound(here.warning)


@pytest.mark.parametrize("reason", [Reason.UNREACHABLE, Reason.THROTTLED])
async def test_what_was_certainly_not_taken_is_tried_again_later(shop: Opening, reason: Reason) -> None:
    line = Line(usually=SendError(reason, "503", retry_after=0.001))
    here = await shop(aliyun=line)
    number = await here.work()
    row = (await here.county.rows("SELECT state, attempt, open, note, due_at FROM batch WHERE id = :b", b=number))[0]
    assert (row.state, row.attempt, row.open, row.note) == (Stage.READY, 1, 1, f"{reason} 503")
    assert 0 < row.due_at - here.county.hand.now <= 2_000
    line.usually = None
    here.county.hand.pass_by(2_000)
    await here.all()
    assert set((await here.states()).values()) == {(Rank.ACCEPTED, None)}
    await here.county.sound(here.warning)


async def test_it_is_not_tried_for_ever(shop: Opening) -> None:
    here = await shop(aliyun=Line({sms(1): SendError(Reason.UNREACHABLE, "refused")}))
    for _ in range(ATTEMPTS + 2):
        await here.all()
        here.county.hand.pass_by(61_000)
    assert (await here.states())["D1"] == (Rank.FAILED, "gave-up:refused")
    await here.county.sound(here.warning)


async def test_a_misconfigured_provider_stops_and_nobody_fails(shop: Opening) -> None:
    here = await shop(aliyun=Line(usually=SendError(Reason.CONFIG, "isv.ACCOUNT", "no money")))
    await here.work()
    drive = here.worker.lines["sms.aliyun"]
    assert (drive.stopped, drive.running) == ("isv.ACCOUNT", 0)
    assert await here.states() == {}
    here.county.hand.pass_by(1_000)
    await here.all("sms.twilio")
    assert set((await here.states("sms.twilio")).values()) == {(Rank.ACCEPTED, None)}
    incidents = await here.county.rows("SELECT provider, code, detail FROM incident")
    assert [tuple(row) for row in incidents] == [("sms.aliyun", "isv.ACCOUNT", "no money")]
    await here.county.sound(here.warning)


async def test_a_bug_in_an_adapter_is_one_messages(shop: Opening) -> None:
    here = await shop(aliyun=Line({H1: ZeroDivisionError("oops")}))
    await here.all()
    states = await here.states()
    assert (states["H1"][0], states["H2"][0]) == (Rank.UNKNOWN, Rank.ACCEPTED)
    await here.county.sound(here.warning)


async def test_who_must_not_be_called_is_suppressed_and_an_address_that_does_not_open_fails_alone(shop: Opening) -> None:
    line = Line()
    here = await shop(aliyun=line)
    await here.county.run("UPDATE recipient SET gone_at = 1 WHERE ref = 'H2'")
    await here.county.run("UPDATE address SET value = :v WHERE recipient_id = :r", v=b"x" * 40, r=here.county.people["G1"])
    await here.all()
    states = await here.states()
    assert (states["H2"][0], states["G1"], states["G2"][0]) == (Rank.SUPPRESSED, (Rank.FAILED, "unreadable"), Rank.ACCEPTED)
    assert H2 not in {message.address for message in line.sent}
    await here.county.sound(here.warning)


async def test_those_who_hear_the_same_words_are_one_crowd(shop: Opening) -> None:
    """What an adapter sees of a crowd is what it would have been given one by one; one who is refused fails alone."""
    line = Posts({R7: SendError(Reason.REJECTED, "no")})
    here = await shop(aliyun=line)
    await here.all()
    crowds = [call for call in line.calls if isinstance(call, Crowd)]
    assert crowds
    for crowd in crowds:
        one = crowd[0]
        assert (one.address, one.reference, one.words) == (crowd.addresses[0], crowd.references[0], crowd.common.words)
        assert one.callback.endswith(f"/hooks/sms/aliyun?ref={one.reference}")
        assert [message.reference for message in crowd[1:]] == list(crowd.references[1:])
    states = await here.states()
    assert {ref: state for ref, (state, _) in states.items() if state != Rank.ACCEPTED} == (
        {"R7": Rank.FAILED} if "R7" in states else {}
    )
    ids = await here.county.rows(
        "SELECT DISTINCT d.provider_id FROM delivery d WHERE d.state = 40 AND d.provider_id = 'one-id'"
    )
    assert len(ids) == 1
    await here.county.sound(here.warning)


async def test_a_crowd_that_has_ended_is_not_called(shop: Opening) -> None:
    """The gate stands before a call for many as before a call for one."""
    line = Posts()
    here = await shop(aliyun=line)
    async with here.county.store.write() as tx:
        while batch := await claim_batch(tx, "sms.aliyun", (1,), "n", 60_000):
            last = batch
    await here.county.desk.cancel(here.warning.uid, "user:a", "停", all_clear=False)
    await here.worker.process(here.worker.lines["sms.aliyun"], last)
    assert (line.calls, line.sent) == ([], [])
    rows = await here.county.rows("SELECT DISTINCT state FROM delivery WHERE batch_id = :b", b=last.id)
    assert [row[0] for row in rows] == [Rank.SUPERSEDED]
    await here.county.sound(here.warning)


async def test_nothing_leaves_after_the_end(shop: Opening) -> None:
    line = Line()
    here = await shop(aliyun=line)
    async with here.county.store.write() as tx:
        batch = await claim_batch(tx, "sms.aliyun", (1,), "n", 60_000)
    assert batch
    await here.county.desk.cancel(here.warning.uid, "user:a", "停", all_clear=False)
    await here.worker.process(here.worker.lines["sms.aliyun"], batch)
    assert line.sent == []
    assert (await here.states())["D1"][0] == Rank.SUPERSEDED
    await here.county.sound(here.warning)


async def test_unknown_ones_are_asked_about_in_five_seconds(shop: Opening) -> None:
    here = await shop(aliyun=Line({sms(1): SendError(Reason.UNKNOWN, "timeout")}))
    number = await here.work()
    assert (await here.states())["D1"] == (Rank.UNKNOWN, "timeout")
    assert await here.timers() == [{"batch": number}]
    due = await here.county.rows("SELECT due_at FROM timer WHERE kind = 'resolve'")
    assert due[0][0] == here.county.hand.now + 5_000


async def lost(here: Shop, adapter: Line) -> int:
    """H1 and H2 are in a call whose answer was lost; gives the batch."""
    usual, adapter.usually = adapter.usually, SendError(Reason.UNKNOWN, "timeout")
    said, adapter.says = adapter.says, {}
    for _ in range(3):
        number = await here.work()
    adapter.usually, adapter.says = usual, said
    return number


async def test_a_provider_that_remembers_is_asked(shop: Opening) -> None:
    """H1 it has, H2 it never saw: that one is told again, with a reference of its own."""
    line = Remembers({H1: Receipt("SM9", State.DELIVERED)})
    here = await shop(aliyun=line)
    await here.resolve(await lost(here, line))
    states = await here.states()
    assert (states["H1"][0], states["H2"]) == (Rank.DELIVERED, (Rank.FAILED, "not-at-provider"))
    assert await here.states(round_=2) == {"H2": (Rank.PLANNED, None)}
    await here.county.sound(here.warning)


async def test_what_cannot_be_told_yet_is_asked_again_and_then_told_too(shop: Opening) -> None:
    """H1 was never there; of H2 that is only known at the second asking."""
    line = Remembers({H2: SendError(Reason.UNREACHABLE, "down")})
    here = await shop(aliyun=line)
    number = await lost(here, line)
    await here.resolve(number)
    assert await here.states(round_=2) == {"H1": (Rank.PLANNED, None)}
    assert (await here.timers())[-1] == {"batch": number, "asked": 1}
    del line.says[H2]
    await here.resolve(number, 1)
    assert await here.states(round_=2) == {"H1": (Rank.PLANNED, None), "H2": (Rank.PLANNED, None)}
    await here.resolve(number, 1)
    assert len(await here.states(round_=2)) == 2
    await here.county.sound(here.warning)


async def test_it_is_not_asked_for_ever(shop: Opening) -> None:
    line = Remembers({H1: SendError(Reason.UNREACHABLE), H2: SendError(Reason.UNREACHABLE)})
    here = await shop(aliyun=line)
    number = await lost(here, line)
    before = len(await here.timers())
    await here.resolve(number, ASKS - 1)
    assert len(await here.timers()) == before


async def test_where_a_repeat_is_known_it_is_simply_sent_again(shop: Opening) -> None:
    line = Repeats({H2: SendError(Reason.RECIPIENT, "gone")})
    here = await shop(aliyun=line)
    number = await lost(here, line)
    await here.resolve(number)
    states = await here.states()
    assert (states["H1"][0], states["H2"]) == (Rank.ACCEPTED, (Rank.FAILED, "gone"))
    assert await here.states(round_=2) == {}
    await here.county.sound(here.warning)


async def test_otherwise_policy_decides_and_red_is_told_again(shop: Opening) -> None:
    line = Line()
    here = await shop(aliyun=line)
    number = await lost(here, line)
    await here.resolve(number)
    assert {ref: state for ref, (state, _) in (await here.states()).items() if state == Rank.UNKNOWN} == dict.fromkeys(
        ("D1", "T1", "H1", "H2"), Rank.UNKNOWN
    )
    assert set(await here.states(round_=2)) == {"H1", "H2"}
    await here.county.sound(here.warning)


async def test_nobody_is_told_again_after_the_end(shop: Opening) -> None:
    line = Remembers()
    here = await shop(aliyun=line)
    number = await lost(here, line)
    await here.county.desk.cancel(here.warning.uid, "user:a", "停", all_clear=False)
    await here.resolve(number)
    assert await here.states(round_=2) == {}
    assert (await here.states())["H1"] == (Rank.FAILED, "not-at-provider")


async def test_after_a_crash_a_batch_is_looked_into_whole(shop: Opening) -> None:
    line = Remembers({sms(1): Receipt("SM1")})
    here = await shop(aliyun=line)
    async with here.county.store.write() as tx:
        batch = await claim_batch(tx, "sms.aliyun", (1,), "gone", 60_000)
    assert batch
    async with here.county.store.write() as tx:
        await lose_batches(tx, everything=True)
    await here.resolve(batch.id)
    assert (await here.states())["D1"][0] == Rank.ACCEPTED
    await here.resolve(batch.id)
    await here.resolve(987_654)
    await here.county.sound(here.warning)


async def test_the_last_place_is_for_the_urgent(shop: Opening) -> None:
    drive = (await shop()).worker.lines["sms.aliyun"]
    lanes: list[Sequence[int]] = []
    for running in range(6):
        drive.running = running
        lanes.append(tuple(open_lanes(drive)))
    assert lanes == [*[(1, 2, 3, 4)] * 3, (1, 2), (), ()]
