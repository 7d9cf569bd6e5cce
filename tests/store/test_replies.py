"""Short messages back and keys on a call: who is confirmed, and who is not by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from town import County

from warnhub.crypto import make_reference
from warnhub.feedback.acks import Acks
from warnhub.feedback.receipts import Receipts
from warnhub.feedback.replies import CAME, Replies
from warnhub.feedback.words import Answer, read_answer
from warnhub.port import Report
from warnhub.store.ledger import Move, advance
from warnhub.store.states import Rank
from warnhub.store.warnings import Warning

G1, SHARED = "+8614500000005", "+8614500000006"


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning of which every short message was taken."""
    found = await county.plan(await county.warn())
    await hand_over(county)
    return found


async def hand_over(county: County) -> None:
    """The carriers take everything there is."""
    rows = await county.rows("SELECT batch_id, recipient_id FROM delivery")
    async with county.store.write() as tx:
        await advance(tx, [Move(row.batch_id, row.recipient_id, Rank.ACCEPTED) for row in rows])


async def say(county: County, *words: str, address: str = G1, **given: str) -> None:
    """Somebody sends something; the desk looks at each once, however often it comes."""
    receipts = Receipts(county.store, county.keys)
    replies = Replies(county.store, county.keys, Acks(county.store))
    for number, text in enumerate(words):
        report = Report(f"m{number}-{text}-{address}", address=address, reply=text, **given)
        await receipts.take("sms.twilio", [report, report])
    for _ in range(2):
        for row in await county.rows("SELECT key FROM outbox WHERE topic = :t ORDER BY id", t=CAME):
            await replies.take(row.key, {})


async def press(county: County, ref: str, choice: str) -> None:
    """A key on a call in the newest wave to somebody."""
    (row,) = await county.rows("SELECT max(wave_id) AS w FROM delivery WHERE recipient_id = :r", r=county.people[ref])
    reference = make_reference(row.w, county.people[ref])
    await Receipts(county.store, county.keys).take("voice.twilio", [Report(f"k-{ref}", None, reference, "CA1", pressed=choice)])
    await say(county)


async def acks(county: County) -> list[tuple[str, str, str | None, bool]]:
    """(ref, evidence, choice, human) of everything that was kept."""
    rows = await county.rows("SELECT recipient_id, evidence, choice, human FROM ack ORDER BY id")
    return [(county.refs[row.recipient_id], row.evidence, row.choice, bool(row.human)) for row in rows]


@pytest.mark.parametrize("words", ["收到", "已收到！", "１", "1.", "一", " OK ", "收到。。", "【收到】"])
async def test_a_word_confirms_where_one_person_can_be_meant(county: County, warning: Warning, words: str) -> None:
    await say(county, words)
    assert await acks(county) == [("G1", "reply", "received", True)]
    assert (await county.tasks(warning))["G1"] == ("done", 0)
    assert (await county.targets(warning))["G1"] == Rank.CONFIRMED
    await county.sound(warning)


@pytest.mark.parametrize(
    "words", ["没收到", "收到请回复", "1号楼进水了", "11", "水位到了3米", "收到 求助", "？", "9999", "不确认"]
)
async def test_other_words_are_a_report_and_confirm_nothing(county: County, warning: Warning, words: str) -> None:
    await say(county, words)
    assert await acks(county) == [("G1", "report", None, False)]
    assert (await county.tasks(warning))["G1"][0] == "open"
    events = await county.rows("SELECT recipient_id, data FROM event WHERE kind = 'report'")
    assert [county.refs[row.recipient_id] for row in events] == ["G1"]
    assert words[:2] in str(events[0].data) or "\\u" in str(events[0].data)
    await county.sound(warning)


async def test_a_code_tells_two_apart_who_share_a_telephone(county: County, warning: Warning) -> None:
    """H2 has G2's number too: a bare word could be either's, and each confirms for themself."""
    blind = county.keys.blind("sms", SHARED)
    await county.run(
        "UPDATE address SET blind = :b WHERE recipient_id = :r AND channel = 'sms'", b=blind, r=county.people["H2"]
    )
    await say(county, "收到", address=SHARED)
    assert {evidence for _, evidence, _, _ in await acks(county)} == {"report"}
    tasks = await county.tasks(warning)
    assert (tasks["G2"][0], tasks["H2"][0]) == ("open", "open")
    code = county.keys.reply_code(county.people["H2"])
    await say(county, f"{code}，已转移", address=SHARED)
    tasks = await county.tasks(warning)
    assert (tasks["G2"][0], tasks["H2"][0]) == ("open", "done")
    assert (await acks(county))[-1] == ("H2", "reply", "moved", True)
    await say(
        county, "".join(chr(ord(digit) + 0xFEE0) for digit in county.keys.reply_code(county.people["G2"])), address=SHARED
    )
    assert (await county.tasks(warning))["G2"][0] == "done"
    await county.sound(warning)


async def test_a_code_of_somebody_else_confirms_nobody(county: County, warning: Warning) -> None:
    await say(county, county.keys.reply_code(county.people["H1"]))
    assert {(who, evidence) for who, evidence, _, _ in await acks(county)} == {("G1", "report")}


async def test_a_reply_answers_the_newest_warning(county: County, warning: Warning) -> None:
    """The earlier one still waits for an answer of its own."""
    county.hand.pass_by(60_000)
    newer = await county.plan(await county.warn(identifier="slide-1", hazard="11D01"))
    await hand_over(county)
    await say(county, "收到")
    assert (await county.tasks(newer))["G1"][0] == "done"
    assert (await county.tasks(warning))["G1"][0] == "open"


async def test_after_the_end_a_reply_changes_nothing(county: County, warning: Warning) -> None:
    await county.desk.cancel(warning.uid, "user:a", "停", all_clear=False)
    await say(county, "收到")
    assert await acks(county) == []


async def test_a_stranger_and_a_resident_confirm_nothing(county: County, warning: Warning) -> None:
    await say(county, "收到", address="+8614599999999")
    await say(county, "收到", address="+8614500000011")
    assert [(who, evidence, human) for who, evidence, _, human in await acks(county)] == [("R1", "report", False)]


@pytest.mark.parametrize("choice", ["received", "moved", "help", "cannot"])
async def test_a_key_confirms(county: County, warning: Warning, choice: str) -> None:
    await press(county, "G1", choice)
    assert await acks(county) == [("G1", "key", choice, True)]
    assert (await county.tasks(warning))["G1"] == ("done", 0)
    await county.sound(warning)


WORDS = st.text(alphabet="收到已没不请1234567890一二 ,。！!OKok", max_size=12)


@given(WORDS)
def test_nothing_but_an_answer_is_one(text: str) -> None:
    """Whatever is read as an answer has one of the words, or four digits, and nothing else."""
    found = read_answer(text)
    if found is None:
        return
    rest = "".join(one for one in text.lower() if one.isalnum())
    for part in (found.code, "已收到", "收到", "1", "2", "3", "4", "一", "二", "ok"):
        rest = rest.replace(part, "", 1) if part else rest
    assert not any(one in rest for one in "没不请")
    assert len(found.code) in {0, 4}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("4721", Answer("4721", "received")),
        ("４７２１", Answer("4721", "received")),
        ("47 21", Answer("4721", "received")),
        ("四七二一", Answer("4721", "received")),
        ("收到4721", Answer("4721", "received")),
        ("3 4721", Answer("4721", "help")),
        ("4721, 求助!", Answer("4721", "help")),
        ("已转移", Answer("", "moved")),
        ("14721", None),
        ("1 2", None),
        ("4721 9", None),
        ("", None),
    ],
)
def test_answers(text: str, answer: Answer | None) -> None:
    assert read_answer(text) == answer
