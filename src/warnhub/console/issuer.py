"""What an identity provider says about itself: its addresses and its keys."""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog
from starlette.exceptions import HTTPException

from warnhub.config import Oidc

FRESH = 3_600.0
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Issuer:
    """What an issuer says about itself, and its keys; read again every hour."""

    at: float = -1e9
    about: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)

    async def read(self, settings: Oidc) -> None:
        """Its own document and its keys. 502 if it cannot be reached, or is another than it says."""
        if time.monotonic() - self.at < FRESH:
            return
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                about = (await client.get(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")).raise_for_status()
                self.about = about.json()
                self.keys = (await client.get(self.about["jwks_uri"])).raise_for_status().json()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            log.warning("sso.unreachable", error=type(error).__name__)
            raise HTTPException(502, "the identity provider cannot be reached; use a local account") from error
        if self.about.get("issuer", "").rstrip("/") != settings.issuer.rstrip("/"):
            raise HTTPException(502, "the identity provider says that it is another one")
        self.at = time.monotonic()
