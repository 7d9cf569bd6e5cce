"""`warnhub user …`: who may work at the console."""

import sys
from typing import Annotated

import typer
from rich.table import Table

from warnhub.commands import actor, asynchronous, err, fail, open_store, out
from warnhub.store.users import (
    AccountError,
    add_user,
    disable_user,
    drop_token,
    enable_user,
    list_users,
    make_token,
    set_password,
    set_role,
)

user = typer.Typer(help="账号 / accounts for the console.", no_args_is_help=True)


def ask_password() -> str:
    """From the terminal, twice; or one line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("密码 / password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


@user.command("add")
@asynchronous
async def add(
    name: str,
    role: Annotated[str, typer.Option(help="viewer, duty, approver, admin, agency or township")] = "viewer",
    scope: Annotated[str | None, typer.Option(help="what an agency or a township sees: an agency's id, an area's code")] = None,
) -> None:
    """新账号 / a new account; the password is asked for, or read from standard input."""
    async with open_store() as (_, store, _):
        try:
            async with store.write() as tx:
                await add_user(tx, actor(), name=name, password=ask_password(), role=role, scope=scope)
        except AccountError as error:
            fail(str(error))
    out.print(f"{name}: {role}")


@user.command("list")
@asynchronous
async def show() -> None:
    """列出 / all accounts."""
    table = Table("name", "role", "state")
    async with open_store() as (_, store, _), store.read() as conn:
        for found in await list_users(conn):
            table.add_row(found.name, found.role, "disabled" if found.disabled_at else "active")
    out.print(table)


@user.command("password")
@asynchronous
async def password(name: str) -> None:
    """换密码 / another password; every session ends."""
    async with open_store() as (_, store, _), store.write() as tx:
        try:
            done = await set_password(tx, actor(), name, ask_password())
        except AccountError as error:
            fail(str(error))
    told(done, name)


@user.command("role")
@asynchronous
async def role(
    name: str,
    role: str,
    scope: Annotated[str | None, typer.Option(help="what an agency or a township sees: an agency's id, an area's code")] = None,
) -> None:
    """换角色 / another role; every session ends."""
    async with open_store() as (_, store, _), store.write() as tx:
        try:
            done = await set_role(tx, actor(), name, role, scope)
        except AccountError as error:
            fail(str(error))
    told(done, name)


@user.command("disable")
@asynchronous
async def disable(name: str) -> None:
    """停用 / the account opens nothing any more."""
    async with open_store() as (_, store, _), store.write() as tx:
        told(await disable_user(tx, actor(), name), name)


@user.command("enable")
@asynchronous
async def enable(name: str) -> None:
    """恢复 / a disabled account opens again."""
    async with open_store() as (_, store, _), store.write() as tx:
        told(await enable_user(tx, actor(), name), name)


@user.command("token")
@asynchronous
async def token(name: str, drop: Annotated[bool, typer.Option("--drop", help="withdraw it instead")] = False) -> None:
    """接口令牌,只显示一次 / an API token, shown once."""
    async with open_store() as (_, store, _), store.write() as tx:
        if drop:
            told(await drop_token(tx, actor(), name), name)
            return
        made = await make_token(tx, actor(), name)
    told(made is not None, name)
    err.print("令牌只显示这一次 / this token is shown only now:")
    out.print(made, soft_wrap=True)


def told(done: bool, name: str) -> None:
    """Say that there is no such account, if there is none."""
    if not done:
        fail(f"there is no account {name}")
