"""`warnhub serve`, `warnhub worker`, `warnhub db`, `warnhub key`, `warnhub channels`."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import structlog
import typer
import uvicorn
import uvloop

from warnhub.app import create_app, create_window
from warnhub.channels import installed_channels
from warnhub.commands import asynchronous, fail, out, settings
from warnhub.config import ConfigError, Settings
from warnhub.crypto import make_key
from warnhub.hub import Hub, make_hub, run_hub, warm_up
from warnhub.logs import set_up
from warnhub.store.engine import Store
from warnhub.store.migrate import SchemaError, check_store, head_revision, upgrade_store

log = structlog.get_logger(__name__)
db = typer.Typer(help="数据库 / the database.", no_args_is_help=True)


@db.command("upgrade")
@asynchronous
async def upgrade(revision: str = "head") -> None:
    """迁移到最新结构 / migrate to the newest schema."""
    store = Store(settings().database_url)
    before, after = await upgrade_store(store, revision)
    await store.close()
    out.print(f"schema {before or '(none)'} → {after}")


@db.command("status")
@asynchronous
async def status() -> None:
    """当前结构版本 / which schema the database is at."""
    store = Store(settings().database_url)
    await check_store(store)
    await store.close()
    out.print(f"schema {head_revision()}: up to date")


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    worker: Annotated[bool, typer.Option("--worker", help="scaled out: do a worker's work too")] = False,
) -> None:
    """运行 WarnHub / run WarnHub: the API, the console and the engine in one process; scaled out, without the worker."""
    given = {key: value for key, value in (("host", host), ("port", port), ("worker", worker or None)) if value is not None}
    try:
        found = settings(**given)
        set_up(found.log_level, found.log_json)
        refuse_stranger(found.database_url)
    except (ConfigError, SchemaError) as error:
        fail(str(error))
    config = uvicorn.Config(
        create_app(found),
        host=found.host,
        port=found.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        fail("the server did not start; the reason is in the log above", 1)


class Quiet(uvicorn.Server):
    """A server that leaves the signals to the worker it belongs to."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def worker(
    metrics_port: Annotated[
        int | None, typer.Option(help="port for /healthz, /readyz and /metrics; without one nothing listens")
    ] = None,
    metrics_host: Annotated[str | None, typer.Option(help="address for it, 127.0.0.1 unless told")] = None,
) -> None:
    """运行一个工作进程 / run one worker of a scaled-out installation: plans, sends and looks into what is unknown."""
    given = {"metrics_port": metrics_port, "metrics_host": metrics_host}
    try:
        found = settings(**{key: value for key, value in given.items() if value is not None})
        set_up(found.log_level, found.log_json)
        if not found.scaled:
            raise ConfigError(
                "kafka: a worker needs `database_url` at PostgreSQL and `kafka`; without them `warnhub serve` works"
            )
        refuse_stranger(found.database_url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(found))
    except (ConfigError, SchemaError) as error:
        fail(str(error))


async def work(found: Settings) -> None:
    """A worker until SIGTERM or SIGINT: then it takes nothing new, finishes what it has, gives back the rest, and ends."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with watched(await make_hub(found, works=True)) as hub:
        warm_up(hub)
        log.info("worker.started", node=hub.worker.node, providers=sorted(hub.providers))
        await ended.wait()
        log.info("worker.ending")
    log.info("worker.ended")


@contextlib.asynccontextmanager
async def watched(hub: Hub) -> AsyncIterator[Hub]:
    """The hub at work, with its window if one is asked for: open until all is given back, so that a drain is seen."""
    port = hub.settings.metrics_port
    if port is None:
        async with run_hub(hub):
            yield hub
        return
    place = listen_at(hub.settings.metrics_host, port)
    log.info("worker.window", host=hub.settings.metrics_host, port=place.getsockname()[1])
    config = uvicorn.Config(
        create_window(hub), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    server = Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[place]), name="window")
    try:
        async with run_hub(hub):
            yield hub
    finally:
        server.should_exit = True
        await task


def listen_at(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ConfigError` that says why there is none."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(f"metrics_port: cannot listen on {host}:{port}: {error.strerror or error}") from error


@asynchronous
async def refuse_stranger(url: str) -> None:
    """Refuse a database whose schema this program does not know, before anything listens."""
    store = Store(url)
    try:
        await check_store(store)
    finally:
        await store.close()


def key() -> None:
    """生成主密钥 / make a master key for WARNHUB_SECRET_KEY. Keep it: without it no address opens."""
    out.print(make_key(), soft_wrap=True)


def channels() -> None:
    """已安装的渠道 / the channels that are installed."""
    for name, point in sorted(installed_channels().items()):
        out.print(f"{name:24}{point.value}")
