"""Coming in by an identity provider: a real one over a real socket, that can be made to lie."""

import base64
import hashlib
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import text
from stage import NOW, PASSWORD, Hand, Hub, open_hub, serving
from starlette.responses import JSONResponse, RedirectResponse, Response
from test_doors import try_login

from warnhub.console.pages import make_router


class Issuer:
    """An identity provider with one person in it."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.stranger = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.asked: dict[str, dict[str, str]] = {}
        self.url = ""
        self.groups = ["desk-duty"]
        self.lie: dict[str, Any] = {}

    def app(self) -> FastAPI:
        """Its server."""
        app = FastAPI()
        app.add_api_route("/.well-known/openid-configuration", self.about)
        app.add_api_route("/keys", self.keys)
        app.add_api_route("/authorize", self.authorize, response_model=None)
        app.add_api_route("/token", self.token, methods=["POST"], response_model=None)
        return app

    async def about(self) -> dict[str, str]:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {"issuer": self.url} | {name: f"{self.url}/{path}" for name, path in ends.items()}

    async def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    async def authorize(self, request: Request) -> Response:
        """They agree at once."""
        code = secrets.token_urlsafe(8)
        self.asked[code] = dict(request.query_params)
        query = urlencode({"code": code, "state": request.query_params["state"]})
        return RedirectResponse(f"{request.query_params['redirect_uri']}?{query}", 302)

    async def token(self, request: Request) -> Response:
        """For a code and its verifier, once."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.asked.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if asked is None or base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": "warnhub", "sub": "u-17", "exp": now + 60, "iat": now, "nonce": asked["nonce"]}
        claims |= {"preferred_username": "chen", "groups": self.groups} | self.lie
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.stranger if "forged" in self.lie else self.key)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": signed})


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """It runs."""
    made = Issuer()
    async with serving(made.app()) as url:
        made.url = url
        yield made


@pytest.fixture
async def hub(county: tuple[Path, dict[str, str]], tmp_path: Path, issuer: Issuer) -> AsyncIterator[Hub]:
    """The county with a provider."""
    roles = {"desk-duty": "duty", "desk-admin": "admin", "village": "township"}
    oidc = {"issuer": issuer.url, "client_id": "warnhub", "client_secret": "s3cret", "roles": roles}
    made = await open_hub(Path(shutil.copy(county[0], tmp_path)), Hand(NOW), oidc=oidc)
    yield made
    await made.close()


@pytest.fixture
async def client(hub: Hub, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    """A browser before the desk's own server; the provider sends back to the public address, which is followed here."""
    app = FastAPI()
    app.include_router(make_router(hub))
    async with serving(app) as url, httpx.AsyncClient(base_url=url) as made:
        yield made


async def go_round(client: httpx.AsyncClient) -> httpx.Response:
    """To the provider and back."""
    start = await client.get("/console/login/sso")
    assert start.status_code == 303
    async with httpx.AsyncClient() as other:
        agreed = await other.get(start.headers["location"])
    back = urlsplit(agreed.headers["location"])
    return await client.get(f"{back.path}?{back.query}")


async def account(hub: Hub) -> Any:
    """Who came."""
    async with hub.store.read() as conn:
        return (await conn.execute(text('SELECT name, role, subject FROM "user" WHERE subject IS NOT NULL'))).first()


async def test_somebody_comes_in_with_the_role_of_their_group(client: httpx.AsyncClient, hub: Hub, issuer: Issuer) -> None:
    answer = await go_round(client)
    assert answer.status_code == 303
    assert (await client.get("/console")).status_code == 200
    row = await account(hub)
    assert (row.name, row.role, row.subject) == ("chen", "duty", f"{issuer.url} u-17")
    issuer.groups = ["desk-duty", "desk-admin"]
    client.cookies.clear()
    assert (await go_round(client)).status_code == 303
    assert (await account(hub)).role == "admin"
    assert (await client.get("/console/users")).status_code == 200


@pytest.mark.parametrize(
    "lie",
    [
        {"forged": True},
        {"nonce": "another"},
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"groups": ["cooks"]},
        {"groups": ["village"]},
        {"preferred_username": "boss"},
    ],
)
async def test_a_lie_lets_nobody_in(client: httpx.AsyncClient, hub: Hub, issuer: Issuer, lie: dict[str, Any]) -> None:
    issuer.lie = lie
    assert (await go_round(client)).status_code == 403
    assert (await client.get("/console")).status_code == 303
    assert await account(hub) is None


async def test_an_answer_belongs_to_the_browser_that_asked(client: httpx.AsyncClient, issuer: Issuer) -> None:
    start = await client.get("/console/login/sso")
    async with httpx.AsyncClient() as other:
        back = urlsplit((await other.get(start.headers["location"])).headers["location"])
    client.cookies.clear()
    assert (await client.get(f"{back.path}?{back.query}")).status_code == 403
    await client.get("/console/login/sso")
    assert (await client.get(f"{back.path}?{back.query}")).status_code == 403, "another login's state"


async def test_local_accounts_still_come_in(client: httpx.AsyncClient) -> None:
    page = await client.get("/console/login")
    assert "/console/login/sso" in page.text
    assert (await try_login(client, "wang", PASSWORD)).status_code == 303
