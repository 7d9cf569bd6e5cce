"""The signature on what Twilio posts to us about a call.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from urllib.parse import parse_qs

from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from warnhub.port import Callback, Refused


class Form(dict[str, list[str]]):
    """A posted form, in the shape that Twilio's validator reads."""

    def getlist(self, name: str) -> list[str]:
        """Every value of `name`."""
        return self[name]

    def first(self, name: str) -> str:
        """The first value of `name`; "" if it is not there."""
        return self.get(name, [""])[0]


def signed_form(call: Callback, token: SecretStr) -> Form:
    """The form of a call-back that `token` has signed; raises `Refused` for any other."""
    signature = call.headers.get("x-twilio-signature")
    if not signature:
        raise Refused("the call-back is not signed")
    try:
        form = Form(parse_qs(call.body.decode(), keep_blank_values=True))
    except ValueError:
        raise Refused("the call-back is not a form") from None
    if not RequestValidator(token.get_secret_value()).validate(call.url, form, signature):
        raise Refused("the signature does not fit; is public_url what Twilio calls?")
    return form
