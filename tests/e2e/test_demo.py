"""The main job as a newcomer sees it first: one command, one line of JSON."""

import asyncio
import json
import os
import signal
import sys

HEEDFUL = """
import signal
from warnhub.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
"""What a shell starts in the background is deaf to Ctrl-C, and so is what that starts."""


async def test_the_demonstration_runs_the_main_job() -> None:
    """A county of a thousand: everybody is accounted for, nothing is left over, somebody has confirmed."""
    command = [sys.executable, "-m", "warnhub", "demo", "--once", "--json", "--residents", "1000", "--no-voice"]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    said, complaints = await child.communicate()
    assert child.returncode == 0, complaints.decode()
    line = json.loads(said)
    assert line["targeted"] > 1_000
    assert line["confirmed"] > 0
    assert line["accepted"] >= line["delivered"] >= line["confirmed"]
    assert line["remaining"] == line["stopped"] == 0
    assert line["targeted"] == sum(
        line[name] for name in ("accepted", "failed", "unknown", "suppressed", "remaining", "stopped")
    )


async def test_it_ends_when_told() -> None:
    """Ctrl-C in the middle of it: it ends soon, quietly, and leaves no child behind."""
    command = [sys.executable, "-c", HEEDFUL, "demo", "--residents", "1000", "--no-voice"]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert child.stderr is not None
    async with asyncio.timeout(90):
        while b"/console" not in await child.stderr.readline():
            assert child.returncode is None
    child.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        said, complaints = await child.communicate()
    assert (child.returncode, said) == (130, b"")
    assert b"Traceback" not in complaints
    assert not alive(child.pid)


async def test_its_carriers_do_not_outlive_it() -> None:
    """Killed outright, it cannot end its child; the child sees that it is alone."""
    command = [sys.executable, "-m", "warnhub", "demo", "--residents", "1000", "--no-voice"]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert child.stderr is not None
    async with asyncio.timeout(90):
        while b"/console" not in await child.stderr.readline():
            assert child.returncode is None
    child.kill()
    await child.communicate()
    async with asyncio.timeout(30):
        while alive(child.pid):  # noqa: ASYNC110 - a process that is not ours says nothing
            await asyncio.sleep(0.2)


def alive(group: int) -> bool:
    """Whether a process group has anybody in it."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
