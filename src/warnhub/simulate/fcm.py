"""Firebase Cloud Messaging's stand-in: Google's token endpoint, which checks the assertion, and `messages:send`.

What a registration token begins with decides what becomes of it (`FATES`); every other one gets its message.
"""

import secrets
import time
from typing import Any

import jwt
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warnhub.simulate.carrier import Carrier, Faults

FATES = {
    "gone": (404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "bad": (400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", "INVALID_ARGUMENT"),
    "foreign": (403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"),
    "apple": (401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service", "THIRD_PARTY_AUTH_ERROR"),
    "internal": (500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
}
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DETAIL = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


class FcmCarrier(Carrier):
    """One project. `public_key` (PEM) checks the service account's assertions; "" takes any. `life` is in seconds."""

    name = "fcm"

    def __init__(
        self, public_key: str = "", project: str = "warnhub", faults: Faults | None = None, seed: int = 1, life: int = 3_599
    ) -> None:
        super().__init__(faults, seed)
        self.public_key, self.project, self.life = public_key, project, life
        self.tokens: dict[str, float] = {}

    def routes(self) -> list[Route]:
        """Google's own."""
        return [
            Route("/token", self.token, methods=["POST"]),
            Route("/v1/projects/{project}/messages:send", self.send, methods=["POST"]),
        ]

    def throttled(self, request: Request) -> Response:
        """429 with a minute to wait."""
        return no(429, "RESOURCE_EXHAUSTED", "Quota exceeded", "QUOTA_EXCEEDED", {"retry-after": "60"})

    def failed(self, request: Request) -> Response:
        """503 with ten seconds to wait."""
        words = "The service is currently unavailable."
        return no(503, "UNAVAILABLE", words, "UNAVAILABLE", {"retry-after": "10"})

    async def token(self, request: Request) -> Response:
        """An access token for a good assertion."""
        self.counts["tokens asked"] += 1
        form = await request.form()
        if form.get("grant_type") != GRANT:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        audience, key = str(request.url), self.public_key
        options: Any = {"require": ["iss", "aud", "iat", "exp"], "verify_signature": bool(key), "verify_aud": bool(key)}
        try:
            claims = jwt.decode(str(form.get("assertion")), key, ["RS256"], options, audience=audience)
        except jwt.PyJWTError as error:
            return JSONResponse({"error": "invalid_grant", "error_description": str(error)}, 400)
        if claims.get("scope") != SCOPE:
            return JSONResponse({"error": "invalid_scope"}, 400)
        self.counts["tokens made"] += 1
        token = f"ya29.{secrets.token_urlsafe(60)}"
        self.tokens[token] = time.monotonic() + self.life
        return JSONResponse({"access_token": token, "expires_in": self.life, "token_type": "Bearer"})

    async def send(self, request: Request) -> Response:
        """Take one message."""
        if early := await self.gate(request):
            return early
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or time.monotonic() >= self.tokens.get(token, 0):
            return no(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if request.path_params["project"] != self.project:
            return no(403, "PERMISSION_DENIED", "Permission denied on resource project.")
        body = await request.body()
        try:
            message = orjson.loads(body)["message"]
            device, data = message["token"], message.get("data", {})
            whole = isinstance(device, str) and all(isinstance(value, str) for value in data.values())
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole or len(body) > 4_096 + len('{"message":}'):
            return no(400, "INVALID_ARGUMENT", "Invalid value or message too big", "INVALID_ARGUMENT")
        fate = next((fate for start, fate in FATES.items() if device.startswith(start)), None)
        if fate or self.hit(self.faults.refuse):
            return no(*(fate or FATES["gone"]))
        self.take(token=device, message=message)
        name = f"projects/{self.project}/messages/0:{self.counts['taken']:016d}%{self.random.getrandbits(32):08x}"
        return await self.settle(request, JSONResponse({"name": name}))


def no(status: int, name: str, words: str, code: str = "", headers: dict[str, str] | None = None) -> Response:
    """A refusal in Google's form; with FCM's own `code` where FCM itself speaks."""
    error: dict[str, Any] = {"code": status, "message": words, "status": name}
    if code:
        error["details"] = [{"@type": DETAIL, "errorCode": code}]
    return JSONResponse({"error": error}, status, headers)
