"""Accounts and sessions: who may open what, for how long, and that nothing of a secret is kept."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from warnhub.store.audits import verify_audit
from warnhub.store.engine import Store, Tx
from warnhub.store.migrate import upgrade_store
from warnhub.store.sessions import Session, close_session, close_sessions, find_session, open_session, touch_session
from warnhub.store.users import (
    HASHER,
    NOBODY,
    AccountError,
    Passwords,
    User,
    add_user,
    disable_user,
    drop_token,
    enable_user,
    find_token,
    list_users,
    make_token,
    read_user,
    set_password,
    set_role,
)

PASSWORD = "river-is-coming-7"


class Hand:
    """A clock that is set by hand."""

    now = 1_781_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def hand() -> Hand:
    """The database's clock."""
    return Hand()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one duty officer."""
    path = tmp_path_factory.mktemp("users") / "warnhub.sqlite3"

    async def fill() -> None:
        made = Store(f"sqlite:///{path}", Hand())
        await upgrade_store(made)
        async with made.write() as tx:
            await add_user(tx, "test", name="wang", password=PASSWORD, role="duty")
        await made.close()

    asyncio.run(fill())
    return path


@pytest.fixture
async def store(tmp_path: Path, desk: Path, hand: Hand) -> AsyncIterator[Store]:
    """A copy of it, on a clock."""
    made = Store(f"sqlite:///{shutil.copy(desk, tmp_path)}", hand)
    yield made
    await made.close()


async def one(store: Store, name: str = "wang") -> User:
    """An account that is there."""
    async with store.read() as conn:
        user = await read_user(conn, name)
    assert user is not None
    return user


async def enter(store: Store, hours: float = 12) -> str:
    """A session's cookie."""
    async with store.write() as tx:
        return await open_session(tx, await one(store), hours, "10.0.0.7")


async def found(store: Store, key: str) -> Session | None:
    """What a cookie opens now."""
    async with store.read() as conn:
        return await find_session(conn, key, await store.now(conn))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "x"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "<script>"}, "name"),
        ({"name": "wang"}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"role": "root"}, "role"),
    ],
)
async def test_refused_account_names_its_field(store: Store, given: dict[str, str], field: str) -> None:
    values = {"name": "li", "password": PASSWORD, "role": "viewer"} | given
    with pytest.raises(AccountError, match=f"^{field}:") as error:
        async with store.write() as tx:
            await add_user(tx, "test", **values)
    assert values["password"] not in str(error.value)
    async with store.read() as conn:
        assert [user.name for user in await list_users(conn)] == ["wang"]


@pytest.mark.parametrize("role", ["viewer", "duty", "approver", "admin"])
def test_each_role_may_what_those_below_may(role: str) -> None:
    order = ["viewer", "duty", "approver", "admin"]
    allowed = [below for below in order if User("x1", role, 0).may(below)]
    assert allowed == order[: order.index(role) + 1]


async def test_only_the_right_password_opens(store: Store) -> None:
    checks = Passwords(store)
    assert (await checks.check("wang", PASSWORD)) == await one(store)
    assert await checks.check("wang", PASSWORD + " ") is None
    assert await checks.check("wang", "") is None
    assert await checks.check("nobody", PASSWORD) is None


async def test_an_unknown_name_takes_as_long(store: Store) -> None:
    assert not HASHER.check_needs_rehash(NOBODY)
    checks = Passwords(store)

    async def seconds(name: str) -> float:
        best = 9.0
        for _ in range(3):
            start = time.perf_counter()
            await checks.check(name, "wrong password")
            best = min(best, time.perf_counter() - start)
        return best

    known, unknown = await seconds("wang"), await seconds("nobody")
    assert 0.4 < unknown / known < 2.5


async def test_nothing_secret_is_stored(store: Store) -> None:
    key = await enter(store)
    async with store.write() as tx:
        token = await make_token(tx, "test", "wang")
    assert token
    async with store.read() as conn:
        rows = [
            str(row)
            for table in ("user", "session", "audit")
            for row in (await conn.execute(text(f'SELECT * FROM "{table}"'))).all()
        ]
    assert any("$argon2id$" in row for row in rows)
    assert not [row for row in rows for secret in (PASSWORD, key, token) if secret in row]


async def test_a_session_ends_by_the_clock(store: Store, hand: Hand) -> None:
    key = await enter(store, hours=2)
    hand.now += 2 * 3_600_000 - 1
    session = await found(store, key)
    assert session
    assert session.user == await one(store)
    hand.now += 1
    assert await found(store, key) is None
    assert await found(store, "") is None


async def test_sessions_have_csrf_tokens_of_their_own(store: Store) -> None:
    first, second = await found(store, await enter(store)), await found(store, await enter(store))
    assert first
    assert second
    assert first.csrf != second.csrf
    assert len(first.csrf) >= 32


async def test_expired_sessions_are_cleared_when_somebody_enters(store: Store, hand: Hand) -> None:
    await enter(store, hours=1)
    hand.now += 3_600_001
    await enter(store)
    async with store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM session")) == 1


async def test_last_use_is_kept(store: Store, hand: Hand) -> None:
    key = await enter(store)
    session = await found(store, key)
    assert session
    hand.now += 90_000
    async with store.write() as tx:
        await touch_session(tx, session)
    later = await found(store, key)
    assert later
    assert later.seen_at == session.seen_at + 90_000


async def test_logout_ends_one_session_and_force_ends_all(store: Store) -> None:
    mine, other, third = await enter(store), await enter(store), await enter(store)
    session = await found(store, mine)
    assert session
    async with store.write() as tx:
        await close_session(tx, session)
    assert await found(store, mine) is None
    assert await found(store, other)
    async with store.write() as tx:
        assert await close_sessions(tx, "user:boss", "wang") == 2
    assert await found(store, third) is None


async def test_whoever_is_changed_must_enter_again(store: Store) -> None:
    changes: list[Callable[[Tx], Awaitable[bool]]] = [
        lambda tx: set_role(tx, "test", "wang", "viewer"),
        lambda tx: set_password(tx, "test", "wang", "another-long-one"),
        lambda tx: disable_user(tx, "test", "wang"),
    ]
    for change in changes:
        key = await enter(store)
        async with store.write() as tx:
            assert await change(tx)
        assert await found(store, key) is None
    assert await Passwords(store).check("wang", "another-long-one") is None
    async with store.write() as tx:
        assert await enable_user(tx, "test", "wang")
    assert await Passwords(store).check("wang", "another-long-one")


async def test_changing_nobody_says_so_and_writes_nothing(store: Store) -> None:
    async with store.write() as tx:
        assert not await set_role(tx, "test", "nobody", "viewer")
        assert not await set_password(tx, "test", "nobody", PASSWORD)
        assert not await disable_user(tx, "test", "nobody")
        assert not await drop_token(tx, "test", "nobody")
        assert await make_token(tx, "test", "nobody") is None
        assert await tx.conn.scalar(text("SELECT count(*) FROM audit WHERE subject = 'nobody'")) == 0


async def test_a_token_opens_until_it_is_changed_or_dropped(store: Store) -> None:
    async with store.write() as tx:
        first = await make_token(tx, "test", "wang")
        second = await make_token(tx, "test", "wang")
    assert first
    assert second
    async with store.read() as conn:
        assert await find_token(conn, first) is None
        user = await find_token(conn, second)
    assert user
    assert user.token
    async with store.write() as tx:
        await drop_token(tx, "test", "wang")
    async with store.read() as conn:
        assert await find_token(conn, second) is None


async def test_a_disabled_account_has_no_token(store: Store) -> None:
    async with store.write() as tx:
        token = await make_token(tx, "test", "wang")
        await disable_user(tx, "test", "wang")
        assert await make_token(tx, "test", "wang") is None
    assert token
    async with store.read() as conn:
        assert await find_token(conn, token) is None


async def test_every_change_is_audited_in_the_chain(store: Store) -> None:
    await enter(store)
    async with store.write() as tx:
        await set_role(tx, "user:boss", "wang", "approver")
        await close_sessions(tx, "user:boss", "wang")
        await disable_user(tx, "user:boss", "wang")
    async with store.read() as conn:
        said = [tuple(row) for row in await conn.execute(text("SELECT actor, action FROM audit ORDER BY id"))]
        assert await verify_audit(conn) == (5, None)
    assert said == [
        ("test", "user.add"),
        ("user:wang", "user.login"),
        ("user:boss", "user.role"),
        ("user:boss", "user.logout.forced"),
        ("user:boss", "user.disable"),
    ]
