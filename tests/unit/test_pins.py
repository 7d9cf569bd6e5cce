"""`warnhub agency pin | unpin | trust | secret`, as typed at a terminal, on a database of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from test_trust import Signer
from typer.testing import CliRunner

from warnhub.cli import app
from warnhub.crypto import KeyRing, make_key
from warnhub.store.audits import verify_audit
from warnhub.store.engine import Store
from warnhub.store.trust import Trust, fingerprint, read_trust


@dataclass(frozen=True)
class Terminal:
    """One with a migrated database and a weather office in it. `folder` is where its files are."""

    folder: Path
    secret: str

    @property
    def url(self) -> str:
        """Where the database is."""
        return f"sqlite:///{self.folder}/desk.sqlite3"

    def run(self, *words: str) -> tuple[int, str]:
        """A command: (exit code, everything it said, as one line)."""
        env = {"WARNHUB_DATABASE_URL": self.url, "WARNHUB_SECRET_KEY": self.secret, "COLUMNS": "300"}
        found = CliRunner().invoke(app, list(words), env=env)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code, " ".join(found.output.split())

    def ask(self, question: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
        """What the database says."""

        async def look() -> Any:
            store = Store(self.url)
            try:
                async with store.read() as conn:
                    return await question(conn)
            finally:
                await store.close()

        return asyncio.run(look())

    def trust(self) -> Trust:
        """What is agreed with the weather office."""
        found = self.ask(lambda conn: read_trust(conn, "weather"))
        assert isinstance(found, Trust)
        return found

    def audit(self) -> list[str]:
        """What of it stands in the audit, which holds together."""

        async def read(conn: AsyncConnection) -> list[str]:
            assert (await verify_audit(conn))[1] is None
            rows = await conn.execute(text("SELECT action FROM audit WHERE subject = 'weather' ORDER BY id"))
            return [str(row.action) for row in rows]

        return list(self.ask(read))

    def pem(self, name: str, body: str) -> str:
        """A file with a certificate; gives its path."""
        path = self.folder / name
        path.write_text(body)
        return str(path)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """One, ready."""
    made = Terminal(tmp_path, make_key())
    assert made.run("db", "upgrade")[0] == 0
    assert made.run("agency", "add", "weather", "--name", "云岭县气象台")[0] == 0
    return made


def test_a_certificate_is_pinned_once_and_taken_away_by_its_name(terminal: Terminal) -> None:
    signer = Signer("weather office")
    name, file = fingerprint(signer.pem), terminal.pem("weather.pem", signer.pem)
    code, said = terminal.run("agency", "pin", "weather", file)
    assert (code, f"weather: SHA-256 {name}" in said) == (0, True)
    assert terminal.run("agency", "pin", "weather", file)[0] == 0
    assert terminal.trust().certificates == (signer.pem,)
    assert name in terminal.run("agency", "trust", "weather")[1]
    for prefix, why in ((name[:7], "at least 8 characters"), ("0" * 8, "has no certificate whose fingerprint begins")):
        code, said = terminal.run("agency", "unpin", "weather", prefix)
        assert (code, why in said) == (2, True)
    assert terminal.trust().certificates == (signer.pem,)
    code, said = terminal.run("agency", "unpin", "weather", name[:8].upper())
    assert (code, "1 unpinned" in said) == (0, True)
    assert terminal.trust().certificates == ()
    assert terminal.audit()[1:] == ["agency.pin", "agency.unpin"]


@pytest.mark.parametrize("body", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_not_pinned(terminal: Terminal, body: str) -> None:
    code, said = terminal.run("agency", "pin", "weather", terminal.pem("x.pem", body))
    assert (code, "certificate" in said) == (2, True)
    assert terminal.trust().certificates == ()


def test_two_certificates_in_a_file_or_no_file_are_refused(terminal: Terminal) -> None:
    both = terminal.pem("two.pem", Signer("a").pem + Signer("b").pem)
    code, said = terminal.run("agency", "pin", "weather", both)
    assert (code, "exactly one certificate" in said) == (2, True)
    code, said = terminal.run("agency", "pin", "weather", str(terminal.folder / "away.pem"))
    assert code == 2
    assert "away.pem" in said
    assert terminal.trust().certificates == ()


def test_an_agency_that_nobody_knows_is_refused_by_each(terminal: Terminal) -> None:
    file = terminal.pem("a.pem", Signer("a").pem)
    for words in (("pin", "water", file), ("unpin", "water", "0" * 8), ("trust", "water", "--signed"), ("secret", "water")):
        code, said = terminal.run("agency", *words)
        assert (code, "there is no agency water" in said) == (2, True), words
        assert "whs_" not in said
    assert len(terminal.audit()) == 1  # that there is a weather office


def test_what_is_agreed_is_shown_and_changed_one_by_one(terminal: Terminal) -> None:
    code, said = terminal.run("agency", "trust", "weather")
    assert (code, "need not be signed; wgs84; request secret not set" in said) == (0, True)
    code, said = terminal.run("agency", "trust", "weather", "--signed")
    assert (code, "must be signed" in said, "everything it sends is refused" in said) == (0, True, True)
    code, said = terminal.run("agency", "trust", "weather", "--datum", "gcj02")
    assert (code, "must be signed; gcj02" in said) == (0, True)
    code, said = terminal.run("agency", "trust", "weather", "--datum", "bd09")
    assert (code, "--datum: bd09 is not" in said) == (2, True)
    assert (terminal.trust().signed, terminal.trust().datum) == (True, "gcj02")
    terminal.run("agency", "trust", "weather", "--unsigned")
    assert (terminal.trust().signed, terminal.trust().datum) == (False, "gcj02")


def test_a_secret_is_shown_once_kept_sealed_and_taken_away(terminal: Terminal) -> None:
    code, said = terminal.run("agency", "secret", "weather")
    first = said.strip()
    assert (code, first.startswith("whs_"), len(first) > 40) == (0, True, True)
    kept = terminal.trust().secret
    assert kept is not None
    assert first.encode() not in kept
    assert KeyRing(terminal.secret).unseal(kept) == first
    assert first not in terminal.run("agency", "trust", "weather")[1]
    second = terminal.run("agency", "secret", "weather")[1].strip()
    assert second != first
    again = terminal.trust().secret
    assert again is not None
    assert KeyRing(terminal.secret).unseal(again) == second
    assert "request secret set" in terminal.run("agency", "trust", "weather")[1]
    assert terminal.run("agency", "secret", "weather", "--drop")[0] == 0
    assert terminal.trust().secret is None
    assert terminal.audit()[1:] == ["agency.trust"] * 3
    leaked = "SELECT count(*) FROM audit WHERE data LIKE '%whs_%'"
    assert terminal.ask(lambda conn: conn.scalar(text(leaked))) == 0
