"""One person of one warning: everything that was tried, everything they did, and what they said on the telephone."""

from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.details import find_frame, number
from warnhub.console.scene import Scene, channel_name
from warnhub.console.strings import has_words, say
from warnhub.console.visit import Visit
from warnhub.crypto import make_reference
from warnhub.dispatch.wordbook import Story
from warnhub.feedback.acks import CHOICES, Ack, Evidence
from warnhub.logs import redact_text
from warnhub.port import CODE, LINK
from warnhub.store.answers import Asked, list_acts, list_messages, read_asked, read_target
from warnhub.store.audits import add_audit
from warnhub.store.proofs import list_proofs, read_photo
from warnhub.store.reports import Reported, list_reports
from warnhub.store.states import STATES, Rank


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a person's history."""

    at: int
    kind: str
    text: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider said later. `words`: what it means; `raw`: its own words, with no full number in them."""

    at: int
    said_at: int | None
    words: str
    raw: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message: what we handed over under which name, what the provider answered, and what it reported since.

    `whole`: whether every report of that time was looked through.
    """

    title: str
    state: str
    reference: str
    text: str
    facts: list[tuple[str, str]]
    reports: list[Report]
    whole: bool


async def show_person(visit: Visit) -> Response:
    """The page."""
    scene, who = await find_person(visit)
    return await person_page(visit, scene, who)


async def person_page(visit: Visit, scene: Scene, who: Asked, status: int = 200, trouble: str = "", dial: str = "") -> Response:
    """The page, with what went wrong before, and the number to call if it was just asked for."""
    late = who.state == "late" or (who.state == "open" and who.due_at <= scene.summary.at)
    given = {"warning": scene.warning, "drill": scene.drill, "who": who, "late": late, "trouble": trouble, "dial": dial}
    history = await read_history(visit, scene.warning.id, who.recipient)
    attempts = await read_attempts(visit, scene, who)
    async with visit.hub.store.read() as conn:
        proofs = await list_proofs(conn, scene.warning.id, who.recipient) if visit.may("duty") else []
    return visit.page("person.html", status, history=history, attempts=attempts, acts=visit.may("duty"), proofs=proofs, **given)


async def read_attempts(visit: Visit, scene: Scene, who: Asked) -> list[Attempt]:
    """Every message with what went to and fro, in order."""
    made = []
    async with visit.hub.store.read() as conn:
        for message in await list_messages(conn, scene.warning.id, who.recipient):
            reports, whole = await list_reports(conn, message, who.recipient)
            made.append((message, reports, whole))
    story = await visit.hub.wordbook.story(scene.warning.id)
    return [tell_attempt(visit, story, who, *one) for one in made]


def tell_attempt(
    visit: Visit, story: Story, who: Asked, message: dict[str, Any], reports: list[Reported], whole: bool
) -> Attempt:
    """One message for the page: nothing in it is a whole number, a link of theirs or a code of theirs."""
    lang = visit.lang

    def t(key: str) -> str:
        return say(key, lang)

    words = visit.hub.wordbook.words(story, message["channel"], message["role"], "zh-CN", message["round"]).text
    answer = [part for part in (message["provider_id"], reason_words(message["reason"], lang), message["code"]) if part]
    facts = [
        (t("attempt.provider"), message["provider"]),
        (t("attempt.tail"), say("tail", lang, tail=message["tail"]) if message["tail"] else "–"),
        (t("attempt.tries"), str(max(1, message["attempt"]))),
        (t("attempt.handed"), visit.when(message["handed_at"], True)),
        (t("attempt.answer"), " · ".join(answer) or t("attempt.none")),
        (t("attempt.settled"), visit.when(message["settled_at"], True)),
    ]
    if message["note"]:
        facts.append((t("attempt.note"), redact_text(message["note"])))
    return Attempt(
        f"{channel_name(message['channel'], t)} · {say('round', lang, n=message['round'])}",
        message["state"],
        make_reference(message["wave"], who.recipient),
        words.replace(LINK, f"{visit.hub.settings.public_url}/a/…").replace(CODE, "····"),
        facts,
        [tell_report(one, lang) for one in reports],
        whole,
    )


def tell_report(one: Reported, lang: str) -> Report:
    """A report in words, and as it came."""
    state = f"delivery.{STATES[Rank(one.state)]}" if one.state is not None else "attempt.reply"
    words = " · ".join(part for part in (say(state, lang), reason_words(one.reason, lang)) if part)
    kept = {"key": one.key, "id": one.provider_id, "code": one.code, "detail": one.detail, "reply": one.reply}
    raw = "  ".join(f"{name}={redact_text(str(value))}" for name, value in kept.items() if value)
    return Report(one.at, one.said_at, words, raw)


async def show_photo(visit: Visit) -> Response:
    """A photograph that came with an answer; 404 if there is none."""
    scene = (await find_frame(visit, 0.2)).scene
    assert scene is not None
    async with visit.hub.store.read() as conn:
        photo = await read_photo(conn, scene.warning.id, number(visit.argument("proof")) or 0)
    if photo is None:
        raise HTTPException(404, "there is no such photograph")
    return Response(photo, media_type="image/jpeg")


async def find_person(visit: Visit) -> tuple[Scene, Asked]:
    """Who the path names, and the warning they are asked about; 404 otherwise."""
    scene = (await find_frame(visit, 0.2)).scene
    assert scene is not None
    async with visit.hub.store.read() as conn:
        person = number(visit.argument("person")) or 0
        who = await read_asked(conn, scene.warning.id, person) or await read_target(conn, scene.warning.id, person)
    if who is None:
        raise HTTPException(404, "nobody like that is asked about this warning")
    return scene, who


async def read_history(visit: Visit, warning: int, recipient: int) -> list[Moment]:
    """Messages, receipts and answers, in order."""
    async with visit.hub.store.read() as conn:
        messages = await list_messages(conn, warning, recipient)
        acts = await list_acts(conn, warning, recipient)
    lines = [line for message in messages for line in tell_message(message, visit.lang)]
    lines += [tell_act(act, visit.lang) for act in acts]
    return sorted(lines, key=lambda line: line.at)


def tell_message(message: dict[str, Any], lang: str) -> list[Moment]:
    """One message: when it was handed over, and what became of it."""

    def t(key: str) -> str:
        return say(key, lang)

    what = f"{channel_name(message['channel'], t)} · {say('round', lang, n=message['round'])}"
    tail = say("tail", lang, tail=message["tail"]) if message["channel"] == "sms" else ""
    said = message.get("provider_id") or ""
    proof = say("person.number_at", lang, tail=said[-8:]) if said else ""
    small = " ".join(part for part in (message["provider"], tail, proof) if part)
    lines = []
    if message["handed_at"]:
        lines.append(Moment(message["handed_at"], "handed", f"{what} · {t('stage.accepted')}", small))
    if message["state"] != "accepted":
        why = " ".join(part for part in (reason_words(message["reason"], lang), message["code"]) if part)
        at = message["settled_at"] or message["due_at"]
        lines.append(Moment(at, message["state"], f"{what} · {t('delivery.' + message['state'])}", why or small))
    return lines


def reason_words(reason: str | None, lang: str) -> str:
    """A failure's reason in plain words."""
    if not reason:
        return ""
    return say(f"reason.{reason}", lang) if has_words(f"reason.{reason}") else reason


def tell_act(act: dict[str, Any], lang: str) -> Moment:
    """One answer, with what it is worth."""
    words = say(f"evidence.{act['evidence']}", lang)
    if act["choice"]:
        words = f"{words}：{say('choice.' + act['choice'], lang)}"
    said = act["human"] or act["evidence"] == Evidence.REPORT
    note = f"「{act['text']}」" if act["text"] and said else ""
    officer = act["officer"].partition(":")[2] if act["officer"] else ""
    return Moment(act["at"], "answer" if act["human"] else "machine", words, f"{note} {officer}".strip())


async def take_word(visit: Visit) -> Response:
    """An officer spoke with them: it counts as told, with the officer's name."""
    scene, who = await find_person(visit)
    if not who.task:
        raise HTTPException(409, "nobody asks this person to confirm")
    if scene.warning.state != "released":
        raise HTTPException(409, f"this warning is {scene.warning.state}")
    choice = visit.form.get("choice", "")
    if choice not in CHOICES:
        return await person_page(visit, scene, who, 422, "no_choice")
    note = " ".join(visit.form.get("text", "").split())[:120]
    ack = Ack(0, who.recipient, Evidence.TOLD, scene.warning.id, choice, note, by=visit.actor)
    await visit.hub.acks.take(ack)
    async with visit.hub.store.write() as tx:
        said = {"person": who.ref, "choice": choice, "before": who.state, "after": "done"}
        await add_audit(tx, visit.actor, "person.told", scene.warning.uid, said)
    return visit.go(f"/warnings/{scene.warning.uid}#asked")
