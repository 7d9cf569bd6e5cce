"""`warnhub dead-letter`: what no handler could work on, why, and once more."""

from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer

from warnhub.commands import actor, asynchronous, fail, open_store, out
from warnhub.store.dead import Letter, list_dead, read_dead, replay_dead

letters = typer.Typer(help="死信 / entries that no handler could work on, and why.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="from `warnhub dead-letter list`")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


@letters.command("list")
@asynchronous
async def letters_list(
    everything: Annotated[bool, typer.Option("--all", help="also those that were replayed")] = False, as_json: AsJson = False
) -> None:
    """列出 / those that wait for somebody, the oldest first."""
    async with open_store() as (_, store, _), store.read() as conn:
        found = await list_dead(conn, everything)
    for letter in found:
        if as_json:
            typer.echo(orjson.dumps(letter))
            continue
        done = f"\t已重放 / replayed by {letter.replayed_by}" if letter.replayed_at else ""
        line = f"{letter.id}\t{moment(letter.at)}\t{letter.topic}\t{letter.key}\t{letter.reason}{done}"
        out.print(line, markup=False, soft_wrap=True)


@letters.command("show")
@asynchronous
async def letters_show(number: Number) -> None:
    """显示一条 / one of them, whole."""
    async with open_store() as (_, store, _), store.read() as conn:
        letter = await read_dead(conn, number)
    if letter is None:
        fail(f"there is no dead letter {number}")
    for name, value in described(letter):
        out.print(f"{name:12}{value}", markup=False, soft_wrap=True)


@letters.command("replay")
@asynchronous
async def letters_replay(number: Number) -> None:
    """重新投递一次 / put it back on the bus, once; it is on the audit who did."""
    async with open_store() as (_, store, _), store.write() as tx:
        why = await replay_dead(tx, number, actor())
    if why is not None:
        fail(why)
    out.print(f"{number}: 已重新投递 / on the bus again")


def described(letter: Letter) -> list[tuple[str, object]]:
    """What `show` says."""
    said = [("topic", letter.topic), ("key", letter.key), ("lane", letter.lane), ("source", letter.source)]
    said += [("at", moment(letter.at)), ("reason", letter.reason), ("data", letter.data)]
    if letter.replayed_at is not None:
        said.append(("replayed", f"{moment(letter.replayed_at)} {letter.replayed_by}"))
    return said


def moment(at: int) -> str:
    """Milliseconds as ISO 8601, UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
