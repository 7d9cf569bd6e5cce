"""The county of the stories, built once for each store, and towns with a copy of it."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from townhall import Base, Opener, Town, build_base, open_town

EMBEDDED, SCALED = "embedded", "scaled"
CHOSEN = {
    "test_story_cancel.py",
    "test_story_drill.py",
    "test_story_restart.py",
    "test_story_traces.py",
}
"""The stories that `make test` plays scaled out too; `make stories` plays every one."""
ONE_PROCESS = {"test_story_kill.py"}
"""What it is about is one process."""
SEVERAL = {"test_story_workers.py"}
"""What it is about is several processes."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each story on the embedded store, and scaled out: PostgreSQL, Kafka, a server and a worker."""
    if "base" not in metafunc.fixturenames:
        return
    name = Path(str(metafunc.module.__file__)).name
    params: list[object] = [] if name in SEVERAL else [EMBEDDED]
    if name in CHOSEN | SEVERAL or (metafunc.config.getoption("--every-story") and name not in ONE_PROCESS):
        params.append(pytest.param(SCALED, marks=[pytest.mark.postgres, pytest.mark.kafka]))
    metafunc.parametrize("base", params, indirect=True, scope="session")


@pytest.fixture(scope="session")
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A county to copy."""
    if request.param == SCALED:
        server, broker = request.getfixturevalue("postgres"), request.getfixturevalue("kafka")
        return asyncio.run(build_base(Path("base"), server, broker))
    return asyncio.run(build_base(tmp_path_factory.mktemp("story") / "base.sqlite3"))


@pytest.fixture
def visit(base: Base, tmp_path: Path) -> Opener:
    """Opens a town of the story's own making: `async with visit(policy=…, providers=…) as town`."""
    return partial(open_town, base, tmp_path)


@pytest.fixture
async def town(visit: Opener) -> AsyncIterator[Town]:
    """A town where everything goes right at first."""
    async with visit() as made:
        yield made
