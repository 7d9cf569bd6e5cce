"""The one long-lived connection to the broker: it comes back by itself, and whoever publishes waits for it."""

import asyncio
import logging
import math
import ssl
from collections.abc import AsyncGenerator, Sequence

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from warnhub.port import Reason, SendError
from warnhub_loudspeaker.settings import MqttSettings

OFFLINE = SendError(Reason.UNREACHABLE, "offline", "no connection to the loudspeakers' broker")
log = logging.getLogger(__name__)
FIRST, LONGEST = 0.5, 30.0  # seconds between attempts
MOST_HEARD = 500
REFUSED = {"Bad user name or password", "Not authorized", "Client identifier not valid", "Unsupported protocol version"}

# paho and aiomqtt log each pending call and each payload; nothing of that is for an operator.
quiet = logging.getLogger("warnhub_loudspeaker.mqtt.wire")
quiet.setLevel(logging.CRITICAL)


class Line:
    """A connection that `heard` keeps up and `publish` uses."""

    def __init__(self, settings: MqttSettings) -> None:
        self.settings = settings
        self.client: aiomqtt.Client | None = None
        self.up = asyncio.Event()
        self.trouble = OFFLINE
        self.limits: set[asyncio.Timeout] = set()

    async def heard(self, topics: Sequence[str]) -> AsyncGenerator[list[aiomqtt.Message], None]:
        """What comes in on `topics`, in groups, for ever: it connects, and connects again whenever the line breaks."""
        pause = FIRST
        while True:
            try:
                async with self.connection() as client:
                    await self.subscribe(client, topics)
                    self.client, self.trouble, pause = client, OFFLINE, FIRST
                    self.up.set()
                    while True:
                        yield await group(client)
            except aiomqtt.MqttError as error:
                self.trouble = refusal(error)
                log.warning("no line to the loudspeakers' broker, again in %g s: %s", pause, self.trouble)
            finally:
                self.drop()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST)

    async def subscribe(self, client: aiomqtt.Client, topics: Sequence[str]) -> None:
        """Ask for `topics`; raises `MqttCodeError` if the broker's rights do not let us."""
        for code in await client.subscribe([(topic, 1) for topic in topics]):
            if isinstance(code, ReasonCode) and code.is_failure:
                raise aiomqtt.MqttCodeError(code)

    def connection(self) -> aiomqtt.Client:
        """A new connection by the settings. With a client id of our own the broker keeps acknowledgements while we are away."""
        given = self.settings
        secret = given.password.get_secret_value()
        client = aiomqtt.Client(
            given.host,
            given.port,
            username=given.username or None,
            password=secret or None,
            identifier=given.client_id or None,
            clean_session=not given.client_id,
            tls_context=ssl.create_default_context(cafile=given.ca) if given.tls else None,
            max_inflight_messages=given.inflight,
            timeout=given.timeout,
            logger=quiet,
        )
        client.pending_calls_threshold = 1_000_000
        return client

    def drop(self) -> None:
        """Nobody waits any longer for an answer that cannot come."""
        self.client = None
        self.up.clear()
        now = asyncio.get_running_loop().time()
        for limit in self.limits:
            if not limit.expired():
                limit.reschedule(now)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand `payload` to the broker (QoS 1, not retained), once. Raises `SendError`."""
        client = await self.ready()
        limit = asyncio.timeout(self.settings.timeout)
        try:
            async with limit:
                self.limits.add(limit)
                await client.publish(topic, payload, qos=1, timeout=math.inf)
        except TimeoutError:
            raise SendError(Reason.UNKNOWN, "puback", "the broker did not say that it has it") from None
        except aiomqtt.MqttError:
            raise SendError(Reason.UNREACHABLE, "offline", "the line broke before it was sent") from None
        finally:
            self.limits.discard(limit)

    async def ready(self) -> aiomqtt.Client:
        """The client, once connected; raises why there is none."""
        if self.client is None and self.trouble.reason is not Reason.CONFIG:
            try:
                async with asyncio.timeout(self.settings.timeout):
                    await self.up.wait()
            except TimeoutError:
                pass
        if self.client is None:
            raise SendError(self.trouble.reason, self.trouble.code, self.trouble.detail)
        return self.client


async def group(client: aiomqtt.Client) -> list[aiomqtt.Message]:
    """The next message, and those that already wait behind it."""
    messages = [await anext(client.messages)]
    while len(client.messages) and len(messages) < MOST_HEARD:
        messages.append(await anext(client.messages))
    return messages


def refusal(error: aiomqtt.MqttError) -> SendError:
    """Why there is no line: CONFIG if the broker refuses us, else UNREACHABLE."""
    code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
    name = str(code) if isinstance(code, ReasonCode) else ""
    reason = Reason.CONFIG if name in REFUSED else Reason.UNREACHABLE
    return SendError(reason, name or OFFLINE.code, OFFLINE.detail)
