"""A message's POST as the `twilio` package makes it, asked of the package once and filled for each message."""

import logging
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from warnhub.port import CODE, LINK, Outgoing, Target

FORM = "application/x-www-form-urlencoded"
HOLE = "_"
HOLES = {"To": "{To}", "StatusCallback": "{StatusCallback}", "ValidityPeriod": "{life}", "Body": "{Body}"}
QUOTED_LINK, QUOTED_CODE = quote_plus(LINK), quote_plus(CODE)
PLAIN = re.compile(r"[\w.~-]*", re.ASCII)


class Mould(NamedTuple):
    """A message's POST as the package makes it, with four holes in its form; that of its constant parts is done."""

    target: Target
    form: str

    def fill(self, message: Outgoing, life: int) -> bytes:
        """The form of one message. The words, which many share, are encoded once: Chinese costs more than the call."""
        body = quoted(message.words.text)
        if QUOTED_LINK in body:
            body = body.replace(QUOTED_LINK, spelt(message.link))
        if QUOTED_CODE in body:
            body = body.replace(QUOTED_CODE, spelt(message.code))
        return self.form.format(
            To=spelt(message.address), StatusCallback=spelt(message.callback), life=life, Body=body
        ).encode()


class Caught(Exception):
    """A request of the package's that went no further."""

    def __init__(self, uri: str, headers: Mapping[str, str], data: Mapping[str, Any], auth: tuple[str, str]) -> None:
        super().__init__("caught")
        self.mould = Mould(
            Target(uri, {**headers, "Content-Type": FORM, "Authorization": basic(*auth)}, again=True),
            "&".join(f"{name}={HOLES.get(name) or quote_plus(str(value))}" for name, value in data.items()),
        )


class Catcher(AsyncHttpClient):  # type: ignore[misc]
    """Gives the package's request back in place of an answer."""

    async def request(self, method: str, uri: str, **parts: Any) -> Response:
        """Raises `Caught`, always."""
        raise Caught(uri, parts["headers"], parts["data"], parts["auth"])


def make_mould(client: Client, sender: Mapping[str, str]) -> Mould:
    """What the package would send, asked of the package itself: address, headers, names and order of the fields are its own.

    It waits for nothing before it asks its HTTP client, so the one step that is taken here is the whole way.
    """
    known, client.http_client = client.http_client, Catcher(logging.getLogger(__name__), True)
    try:
        client.messages.create_async(to=HOLE, body=HOLE, validity_period=1, **sender).send(None)
    except Caught as caught:
        return caught.mould
    finally:
        client.http_client = known
    raise RuntimeError("the twilio package asked for something before the message")


def spelt(text: str) -> str:
    """A short text as a form has it. The head of an address of ours is the same for all, so only its end is looked at."""
    if text[:1] == "+" and PLAIN.fullmatch(text, 1):
        return "%2B" + text[1:]
    head, mark, end = text.rpartition("=") if "=" in text else text.rpartition("/")
    return quoted(head + mark) + (end if PLAIN.fullmatch(end) else quote_plus(end))


@lru_cache(1_024)
def quoted(text: str) -> str:
    """A text as a form has it."""
    return quote_plus(text)


def basic(user: str, secret: str) -> str:
    """The header of an account."""
    return "Basic " + b64encode(f"{user}:{secret}".encode()).decode()
