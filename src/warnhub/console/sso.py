"""Coming in by an identity provider (OpenID Connect, authorization code with PKCE), beside local accounts.

The provider says who somebody is and in which groups; which group is which role is a setting. Nobody is let in by a name alone:
an account belongs to the provider's subject, and no local account is taken over by one that is called the same.
"""

import base64
import secrets
from typing import Any

import httpx
import orjson
import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from warnhub.config import Oidc
from warnhub.console.issuer import Issuer
from warnhub.console.visit import Visit
from warnhub.crypto import Unreadable
from warnhub.store.users import ROLES, SCOPED, AccountError, User, add_user, find_subject, set_role

COOKIE = "warnhub_sso"
MINUTES = 10
ALGORITHMS = ["RS256", "ES256", "PS256"]
log = structlog.get_logger(__name__)


def settings_of(visit: Visit) -> Oidc:
    """The settings; 404 where there is no provider."""
    found = visit.hub.settings.oidc
    if found is None:
        raise HTTPException(404, "there is no identity provider here")
    return found


def back_url(visit: Visit) -> str:
    """Where the provider sends people back to."""
    return f"{visit.hub.settings.public_url}/console/login/sso/back"


async def leave(visit: Visit) -> Response:
    """On to the provider; what ties the answer to this browser is in a sealed cookie."""
    settings, provider = settings_of(visit), visit.console.sso
    await provider.read(settings)
    held = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
    url = prepare_grant_uri(
        provider.about["authorization_endpoint"],
        settings.client_id,
        "code",
        redirect_uri=back_url(visit),
        scope="openid profile",
        state=held["state"],
        nonce=held["nonce"],
        code_challenge=create_s256_code_challenge(held["verifier"]),
        code_challenge_method="S256",
    )
    response = RedirectResponse(url, 303)
    sealed = base64.urlsafe_b64encode(visit.hub.keys.seal(orjson.dumps(held).decode())).decode()
    response.set_cookie(COOKIE, sealed, MINUTES * 60, **visit.cookie())
    return response


def held_by(visit: Visit) -> dict[str, str]:
    """What the cookie holds; 403 if it is none of ours."""
    try:
        sealed = base64.urlsafe_b64decode(visit.request.cookies.get(COOKIE, "").encode())
        held = orjson.loads(visit.hub.keys.unseal(sealed))
    except (ValueError, Unreadable, IndexError) as error:
        raise HTTPException(403, "this login was not begun in this browser") from error
    return {name: str(held[name]) for name in ("state", "nonce", "verifier")}


async def come_back(visit: Visit) -> User:
    """Whoever the provider names, with the role their groups give them. 403 for anybody else."""
    settings, provider, query = settings_of(visit), visit.console.sso, visit.request.query_params
    held = held_by(visit)
    if not secrets.compare_digest(query.get("state", ""), held["state"]) or "code" not in query:
        raise HTTPException(403, "the identity provider's answer does not belong to this login")
    await provider.read(settings)
    claims = await redeem(visit, settings, provider, query["code"], held)
    groups = claims.get(settings.claim, [])
    role = best_role(settings, [groups] if isinstance(groups, str) else list(groups))
    if role is None:
        raise HTTPException(403, "none of your groups has a role at this desk")
    name = str(claims.get("preferred_username") or claims["sub"])[:40]
    return await settle(visit, f"{settings.issuer} {claims['sub']}", name, role)


async def redeem(visit: Visit, settings: Oidc, provider: Issuer, code: str, held: dict[str, str]) -> dict[str, Any]:
    """The code for a token, and what it says once it is proven: signature, issuer, audience, time and nonce."""
    secret = settings.client_secret.get_secret_value()
    try:
        form = prepare_token_request(
            "authorization_code", redirect_uri=back_url(visit), code=code, code_verifier=held["verifier"]
        )
        kind = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        async with httpx.AsyncClient(timeout=10, auth=(settings.client_id, secret)) as client:
            answer = await client.post(provider.about["token_endpoint"], content=form, headers=kind)
            given = answer.raise_for_status().json()
        token = jwt.decode(given["id_token"], KeySet.import_key_set(provider.keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        rules = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": provider.about["issuer"]},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": held["nonce"]},
        )
        rules.validate(token.claims)
    except (JoseError, httpx.HTTPError, ValueError, KeyError) as error:
        log.warning("sso.refused", error=type(error).__name__)
        raise HTTPException(403, "the identity provider's answer could not be proven") from error
    return dict(token.claims)


def best_role(settings: Oidc, groups: list[Any]) -> str | None:
    """The highest role of somebody's groups."""
    found = [settings.roles[group] for group in groups if isinstance(group, str) and group in settings.roles]
    usable = [role for role in found if role in ROLES and role not in SCOPED]
    return max(usable, key=ROLES.index) if usable else None


async def settle(visit: Visit, subject: str, name: str, role: str) -> User:
    """The account of a subject, made when it comes first, with the role it has now."""
    async with visit.hub.store.write() as tx:
        user = await find_subject(tx.conn, subject)
        if user is None:
            try:
                await add_user(tx, "sso", name=name, password=secrets.token_urlsafe(40), role=role, subject=subject)
            except AccountError as error:
                raise HTTPException(403, str(error)) from error
        elif user.role != role:
            await set_role(tx, "sso", user.name, role)
        user = await find_subject(tx.conn, subject)
    if user is None:
        raise HTTPException(403, "this account is disabled")
    return user
