"""A form's token looks different on every page, so that how well a packed page compresses tells nothing about it."""

import secrets


def mask(token: str) -> str:
    """`token` under a fresh key, with the key."""
    body = token.encode()
    key = secrets.token_bytes(len(body))
    return f"{key.hex()}.{bytes(one ^ other for one, other in zip(body, key, strict=True)).hex()}"


def unmask(masked: str) -> str:
    """The token; "" for what is none."""
    key, dot, body = masked.partition(".")
    try:
        pair = zip(bytes.fromhex(key), bytes.fromhex(body), strict=True)
        return bytes(one ^ other for one, other in pair).decode() if dot else ""
    except ValueError:
        return ""
