"""The signature on what Twilio posts to us.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from collections.abc import Mapping
from urllib.parse import parse_qs

from pydantic import SecretStr
from twilio.request_validator import (
    HMAC_SHA1,
    HMAC_SHA256,
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from warnhub.port import Callback, Refused


class Form(dict[str, list[str]]):
    """A posted form, in the shape that Twilio's validator reads. Each name may come more than once."""

    def getlist(self, name: str) -> list[str]:
        """Every value of `name`."""
        return self[name]

    def first(self, name: str) -> str:
        """The first value of `name`; "" if it is not there."""
        return self.get(name, [""])[0]


def signed_form(call: Callback, token: SecretStr, keys: Mapping[str, SecretStr]) -> Form:
    """The form of a call-back that `token`, or the one of `keys` that it names, has signed; raises `Refused` for any other."""
    signature = call.headers.get(SIGNATURE_HEADER.lower())
    if not signature:
        raise Refused("the call-back is not signed")
    settings = call.headers.get(SIGNATURE_SETTINGS_HEADER.lower(), "")
    secret = keys.get(key_name(settings)) if settings else token
    algorithm = get_signature_algorithm(settings)
    if secret is None or algorithm.upper() not in {HMAC_SHA1, HMAC_SHA256}:
        raise Refused("the call-back is signed with a key or in a way that is not set up")
    try:
        form = Form(parse_qs(call.body.decode(), keep_blank_values=True))
    except ValueError:
        raise Refused("the call-back is not a form") from None
    if not RequestValidator(secret.get_secret_value()).validate(call.url, form, signature, algorithm):
        raise Refused("the signature does not fit; is public_url what Twilio calls?")
    return form


def key_name(settings: str) -> str:
    """`a` of `key=a,algorithm=HMAC_SHA256`."""
    parts = (part.partition("=") for part in settings.split(","))
    return next((value.strip() for name, _, value in parts if name.strip() == "key"), "")
