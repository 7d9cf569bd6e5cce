"""An agency at its own terminal: `warnhub send`, and the examples of the guide, against the running desk."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from townhall import Town, make_alert
from typer.testing import CliRunner

from warnhub.cli import app

ROOT = Path(__file__).resolve().parents[2]


class Agency:
    """A terminal with the agency's key in a file."""

    def __init__(self, town: Town, folder: Path, agency: str = "weather") -> None:
        self.town = town
        self.folder = folder
        self.key = town.base.agencies[agency]
        self.key_file = folder / "key"
        self.key_file.write_text(self.key + "\n", "utf-8")

    def file(self, body: bytes, name: str = "alert.json") -> str:
        """The alert in a file."""
        path = self.folder / name
        path.write_bytes(body)
        return str(path)

    async def send(self, *arguments: str, stdin: bytes = b"", **env: str) -> tuple[int, str]:
        """`warnhub send`, beside the desk's loop: (exit code, everything it said), and nowhere the key."""
        known = {"WARNHUB_HUB": self.town.scene.base, "WARNHUB_KEY_FILE": str(self.key_file), "COLUMNS": "200"}
        found = await asyncio.to_thread(CliRunner().invoke, app, ["send", *arguments], stdin, known | env)
        assert self.key not in found.output
        assert found.exception is None or isinstance(found.exception, SystemExit)
        return found.exit_code, found.output

    async def run(self, *command: str) -> tuple[int, str]:
        """Another program: (exit code, everything it said), and nowhere the key."""
        base = {name: value for name, value in os.environ.items() if not name.startswith("WARNHUB_")}
        known = {"WARNHUB_HUB": self.town.scene.base, "WARNHUB_KEY_FILE": str(self.key_file), "COLUMNS": "200"}
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *command, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=base | known, cwd=self.folder
        )
        said, _ = await asyncio.wait_for(child.communicate(), 60)
        text = said.decode()
        assert self.key not in text
        return child.returncode or 0, text


async def test_what_is_sent_is_told(town: Town, tmp_path: Path) -> None:
    agency = Agency(town, tmp_path)
    alert = make_alert("s-1")
    file = agency.file(alert)
    code, said = await agency.send(file)
    assert (code, "released: it leaves now" in said, "/v1/warnings/wa_" in said) == (0, True, True)
    code, said = await agency.send("-", stdin=alert)
    assert (code, "received before" in said) == (0, True)
    code, said = await agency.send(file, "--json")
    assert (code, json.loads(said)["repeated"]) == (0, True)
    code, said = await agency.send(agency.file(make_alert("s-2", hazard="11D01"), "slide.json"))
    assert (code, "refused (403)" in said, "HAZARD_NOT_YOURS hazard" in said, "11D01" in said) == (1, True, True, True)
    code, said = await agency.send(agency.file(b"<alert/>", "bad.xml"))
    assert (code, "refused (422)" in said) == (1, True)


async def test_what_cannot_be_sent_is_said(town: Town, tmp_path: Path) -> None:
    agency = Agency(town, tmp_path)
    file = agency.file(make_alert("s-1"))
    code, said = await agency.send(str(tmp_path / "none.json"))
    assert (code, "none.json" in said) == (2, True)
    code, said = await agency.send(file, WARNHUB_KEY_FILE="")
    assert (code, "WARNHUB_KEY_FILE" in said) == (2, True)
    code, said = await agency.send(file, WARNHUB_KEY_FILE="", WARNHUB_KEY="whk_wrong")
    assert (code, "refused (401)" in said, "whk_wrong" in said) == (1, True, False)
    code, said = await agency.send(file, "--to", "http://127.0.0.1:9")
    assert (code, "not reached" in said) == (4, True)


@pytest.mark.parametrize("decision", ["release", "reject"])
async def test_it_follows_until_people_have_decided(town: Town, tmp_path: Path, decision: str) -> None:
    agency = Agency(town, tmp_path, "water")
    file = agency.file(make_alert("s-1", sender="云岭县水利局", level="yellow"))
    code, said = await agency.send(file)
    assert (code, "an officer must release it" in said) == (3, True)
    following = asyncio.create_task(agency.send(file, "--follow", "--timeout", "40"))
    await asyncio.sleep(1.5)  # either way round it says the same
    uid = said.split("/v1/warnings/")[1].split()[0]
    token = {"authorization": f"Bearer {town.base.tokens['zhang']}"}
    given = {"why": "再核实"} if decision == "reject" else None
    assert (await town.http.post(f"/v1/warnings/{uid}/{decision}", headers=token, json=given)).status_code == 200
    code, said = await following
    assert (code, ("rejected" if decision == "reject" else "released") in said) == (int(decision == "reject"), True)
    assert (await agency.send(file))[0] == int(decision == "reject")


@pytest.mark.parametrize("example", ["agency.py", "agency.sh"])
async def test_the_guide_s_examples_work(town: Town, tmp_path: Path, example: str) -> None:
    if example.endswith("sh") and shutil.which("curl") is None:
        pytest.skip("no curl here")
    path = ROOT / "docs" / "examples" / example
    assert len(path.read_text("utf-8").splitlines()) <= 45
    run = (sys.executable, str(path)) if example.endswith("py") else ("bash", str(path))
    agency = Agency(town, tmp_path)
    code, said = await agency.run(*run, agency.file(make_alert("s-1")))
    assert (code, "released" in said) == (0, True)
    code, said = await agency.run(*run, agency.file(make_alert("s-2", hazard="11D01"), "slide.json"))
    assert (code != 0, "HAZARD_NOT_YOURS" in said) == (True, True)
