"""Google's access token for a service account, by a signed assertion.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
from pydantic import SecretStr

from warnhub.port import ChannelSettings, Reason, SendError, Token, cleaned, exchange, overloaded

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Account(ChannelSettings):
    """The names are those of the service account's JSON file."""

    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address, not a secret
    project_id: str
    client_email: str
    private_key: SecretStr
    private_key_id: str = ""


def access_token(account: Account, http: httpx.AsyncClient, now: Callable[[], float] = time.time) -> Token:
    """The one owner of the account's token in this process; `now` is Unix time."""

    async def fetch() -> tuple[str, float]:
        form = {"grant_type": GRANT, "assertion": assertion(account, int(now()))}
        answer = await exchange(http, "POST", account.token_uri, timeout=account.timeout, data=form)
        if error := overloaded(answer):
            raise error
        said = spoken(answer)
        value, life = said.get("access_token"), said.get("expires_in")
        if not answer.is_success or not isinstance(value, str) or not isinstance(life, int):
            code = cleaned(str(said.get("error", answer.status_code)))
            raise SendError(Reason.CONFIG, code, "Google gives this account no access token")
        return value, float(life)

    return Token(fetch)


def assertion(account: Account, begin: int) -> str:
    """An RS256 JWT from `begin` (Unix time) for an hour."""
    claims = {"iss": account.client_email, "scope": SCOPE, "aud": account.token_uri, "iat": begin, "exp": begin + 3600}
    headers = {"kid": account.private_key_id} if account.private_key_id else None
    try:
        return jwt.encode(claims, account.private_key.get_secret_value(), "RS256", headers)
    except (ValueError, TypeError, jwt.PyJWTError):
        raise SendError(Reason.CONFIG, "private_key", "the private key cannot be read") from None


def spoken(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer, or an empty one."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
