"""What is freed goes back to the machine."""

import asyncio
import ctypes
from pathlib import Path

import pytest

from warnhub.heap import keep_lean


def held() -> int:
    """Memory of this process, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
async def test_what_is_freed_between_what_stays_is_given_back() -> None:
    blocks = [bytes(1_000) for _ in range(60_000)]
    kept = blocks[::50]
    del blocks
    before = held()
    lean = asyncio.create_task(keep_lean(0.01))
    for _ in range(1_000):
        if held() < before - 30_000_000:
            break
        await asyncio.sleep(0.01)
    lean.cancel()
    assert held() < before - 30_000_000
    assert len(kept) == 1_200
