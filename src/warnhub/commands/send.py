"""`warnhub send`: an alert posted as an agency would, and what became of it."""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote

import httpx
import typer

from warnhub.commands import err, fail, out

REFUSED, WAITS, UNREACHED = 1, 3, 4
ATTEMPTS = 5
EVERY = 1.0
WORDS = {
    "released": "已发布,正在发出 / released: it leaves now",
    "pending": "等待值班员放行 / an officer must release it",
    "held": "已留置,须值班员审核 / held: an officer must look at it first",
    "kept": "只留存,不发布 / kept, never sent",
    "ended": "无人收到过,无须再发 / nobody had been told: nothing more to do",
    "rejected": "值班员已驳回 / rejected by an officer",
    "cancelled": "已解除 / cancelled",
    "superseded": "已被新预警取代 / superseded",
    "expired": "已失效 / expired",
}
WAITING = frozenset(("pending", "held"))
GONE = frozenset(("released", "kept", "ended", "cancelled", "superseded", "expired"))


def send(
    file: Annotated[str, typer.Argument(help="the alert, in any form that is read; - reads standard input")],
    to: Annotated[str, typer.Option(help="the desk's address, else $WARNHUB_HUB")] = "",
    key_file: Annotated[Path | None, typer.Option(help="holds the key, else $WARNHUB_KEY_FILE, else $WARNHUB_KEY")] = None,
    media: Annotated[str, typer.Option("--type", help="content type; told by the content unless given")] = "",
    follow: Annotated[bool, typer.Option(help="wait until it is released or rejected")] = False,
    timeout: Annotated[float, typer.Option(help="seconds to follow at most")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="the answer as one line of JSON")] = False,
) -> None:
    """报送预警并显示处理结果 / post an alert as an agency would and say what became of it. Exit 0 taken, 1 refused, 2 not sent,
    3 taken and waiting for a person, 4 not reached."""
    body = read_body(file)
    headers = {"authorization": f"Bearer {read_key(key_file)}", "content-type": media or media_of(body)}
    if file != "-":
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(Path(file).name)}"
    base = (to or os.environ.get("WARNHUB_HUB") or "http://127.0.0.1:8080").rstrip("/")
    with httpx.Client(base_url=base, timeout=30) as http:
        answer = post(http, body, headers)
        said = answer.json()
        if answer.status_code not in (200, 201):
            show_refusal(answer.status_code, said, as_json)
        taken = said.get("alerts", [said])
        states = [settle(http, headers["authorization"], one, timeout if follow else 0) for one in taken]
    if as_json:
        typer.echo(answer.text if not follow else httpx.Response(200, json=said | {"states": states}).text)
    else:
        for one, state in zip(taken, states, strict=True):
            show_taken(one, state)
    raise typer.Exit(worst(states))


def worst(states: Iterable[str]) -> int:
    """The exit code of all of them."""
    found = set(states)
    return REFUSED if "rejected" in found else 0 if found <= GONE else WAITS


def read_body(file: str) -> bytes:
    """The alert's bytes."""
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    if not body.strip():
        fail(f"{file}: there is nothing in it")
    return body


def read_key(path: Path | None) -> str:
    """The agency's key, which is shown nowhere."""
    named = path or (Path(found) if (found := os.environ.get("WARNHUB_KEY_FILE")) else None)
    try:
        key = named.read_text("utf-8").strip() if named else os.environ.get("WARNHUB_KEY", "").strip()
    except (OSError, UnicodeDecodeError):
        fail(f"the key's file {named} cannot be read")
    if not key:
        fail("no key: set WARNHUB_KEY_FILE or WARNHUB_KEY, or give --key-file (the bureau gave you one)")
    if not key.isascii() or not key.isprintable() or " " in key:
        fail("what is given as the key is none: it must be one word of letters, digits, - and _")
    return key


def media_of(body: bytes) -> str:
    """The content type, by how the document begins."""
    start = body.lstrip(b" \t\r\n\xef\xbb\xbf")
    if start.startswith(b"PK"):
        return "application/zip"
    if start[:1] in (b"{", b"["):
        return "application/json"
    if start.startswith(b"<"):
        return "application/cap+xml" if b"cap:1." in start[:2_000] or b"/cap/1." in start[:2_000] else "application/xml"
    return "text/csv"


def post(http: httpx.Client, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """POST until it is answered: the same alert again is answered as the first time, so a repeat costs nothing."""
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            err.print(f"再试 / trying again ({attempt + 1}/{ATTEMPTS}): {why}", markup=False)
            time.sleep(min(8.0, 0.5 * 2**attempt))
        try:
            answer = http.post("/v1/alerts", content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = f"{http.base_url} {type(error).__name__}"
            continue
        if answer.status_code < 500 and answer.status_code != 429 and is_json(answer):
            return answer
        why = f"{http.base_url} answered {answer.status_code}"
    fail(f"not reached: {why}; send it again, nothing happens twice", UNREACHED)


def is_json(answer: httpx.Response) -> bool:
    """Whether it is the desk that answers, and not something between."""
    return "json" in answer.headers.get("content-type", "")


def show_refusal(status: int, said: dict[str, Any], as_json: bool) -> NoReturn:
    """What was refused and why: each with its field, rule and value."""
    if as_json:
        typer.echo(httpx.Response(status, json=said).text)
        raise typer.Exit(REFUSED)
    err.print(f"未被接收 / refused ({status}): {said.get('title', '')}", markup=False, soft_wrap=True)
    for one in said.get("errors", []):
        where = f"  {one['rule']} {one['path']}: {one['message']}"
        err.print(f"{where} ({one['value']})" if one.get("value") else where, markup=False, soft_wrap=True)
    raise typer.Exit(REFUSED)


def show_taken(one: dict[str, Any], state: str) -> None:
    """What became of one alert."""
    again = " (已收到过 / received before)" if one["repeated"] else ""
    out.print(f"{one['id']}  {WORDS.get(state, state)}{again}", markup=False, soft_wrap=True)
    for reason in one["reasons"]:
        out.print(f"  {reason}", markup=False, soft_wrap=True)
    for note in one["notes"]:
        said = f"  {note['rule']} {note['path']}: {note['message']} ({note['value']})"
        err.print(said, markup=False, soft_wrap=True)
    if one["warning"]:
        out.print(f"  {one['links']['warning']}", markup=False, soft_wrap=True)


def settle(http: httpx.Client, authorization: str, one: dict[str, Any], timeout: float) -> str:
    """The warning's state once people have decided, or where it stands when time is up. A repeat is asked for at once."""
    state = str(one["state"])
    if not one["warning"]:
        return state
    if one["repeated"]:
        state = ask(http, authorization, one, state)
    end = time.monotonic() + timeout
    while state in WAITING and time.monotonic() < end:
        time.sleep(EVERY)
        state = ask(http, authorization, one, state)
    return state


def ask(http: httpx.Client, authorization: str, one: dict[str, Any], state: str) -> str:
    """How the warning stands; `state` where that cannot be told, or where it still waits."""
    try:
        answer = http.get(one["links"]["warning"], headers={"authorization": authorization})
    except httpx.HTTPError:
        return state
    if answer.status_code != 200 or not is_json(answer):
        return state
    now = str(answer.json()["state"])
    return state if now == "pending" else now
