"""What every command shares: settings, a store, and errors that say what to do."""

import asyncio
import difflib
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console

from warnhub.config import ConfigError, Settings, load_settings
from warnhub.crypto import KeyRing
from warnhub.plan.loading import PolicyError
from warnhub.store.engine import Store
from warnhub.store.migrate import SchemaError, check_store

P = ParamSpec("P")
R = TypeVar("R")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def fail(message: str, code: int = 2) -> NoReturn:
    """Say what is wrong and end."""
    err.print(f"[bold red]错误 / error[/]: {message}", markup=True, soft_wrap=True)
    raise typer.Exit(code)


def asynchronous(function: Callable[P, Awaitable[R]]) -> Callable[P, R]:
    """A command written as a coroutine; the errors people can mend become one line."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return asyncio.run(function(*args, **kwargs))  # type: ignore[arg-type]  # an Awaitable from `async def` is a coroutine
        except (ConfigError, SchemaError, OSError) as error:
            fail(str(error))
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return run


def read_written(file: Path, read: Callable[[str], R], wrong: str) -> tuple[str, R]:
    """A file's text and what is in it; ends the command with every problem and its line where that is not what it should be."""
    written = file.read_text("utf-8")
    try:
        return written, read(written)
    except PolicyError as error:
        fail(f"{file} {wrong}; nothing was changed\n{error}")


def ask_change(old: str, new: str, names: tuple[str, str], question: str, yes: bool, more: Iterable[str] = ()) -> None:
    """Show what changes between two texts, and ask unless `yes`; ends the command where the answer is no."""
    for line in difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm=""):
        out.print(line, markup=False, soft_wrap=True)
    for line in more:
        out.print(line, markup=False)
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)


def settings(**given: Any) -> Settings:
    """The settings of this run."""
    return load_settings(**given)


@asynccontextmanager
async def open_store(checked: bool = True, **given: Any) -> AsyncIterator[tuple[Settings, Store, KeyRing]]:
    """The store the settings name, at the schema this program knows, and the keys."""
    found = settings(**given)
    store = Store(found.database_url)
    try:
        if checked:
            await check_store(store)
        yield found, store, KeyRing(found.secret_key.get_secret_value())
    finally:
        await store.close()


def actor() -> str:
    """Who sits at this terminal, for the audit."""
    return f"cli:{os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"
