"""The account's access token, by the interface that gives every process the same one.

The classic interface kills the previous token at each call, so that two processes put each other out; this one does not.
https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
"""

import httpx
from pydantic import SecretStr

from warnhub.port import Reason, SendError, Token
from warnhub_wechat.codes import ask, refusal


def stable_token(http: httpx.AsyncClient, base_url: str, timeout: float, appid: str, secret: SecretStr) -> Token:
    """The one owner of this account's token in this process."""

    async def fetch() -> tuple[str, float]:
        body = {"grant_type": "client_credential", "appid": appid, "secret": secret.get_secret_value(), "force_refresh": False}
        said = await ask(http, f"{base_url}/cgi-bin/stable_token", timeout, body)
        if said["errcode"]:
            raise refusal(said, secret.get_secret_value())
        value, life = said.get("access_token"), said.get("expires_in")
        if not isinstance(value, str) or not value or not isinstance(life, int):
            raise SendError(Reason.UNEXPECTED, "token", "a yes without a token")
        return value, float(life)

    return Token(fetch)
