"""A form's token looks different on every page, so that how well a packed page compresses tells nothing about it."""

import secrets

LETTERS = str.maketrans("0123456789", "ghijklmnop")
DIGITS = str.maketrans("ghijklmnop", "0123456789")


def mask(token: str) -> str:
    """`token` under a fresh key, with the key."""
    body = token.encode()
    key = secrets.token_bytes(len(body))
    return f"{spell(key)}.{spell(bytes(one ^ other for one, other in zip(body, key, strict=True)))}"


def spell(body: bytes) -> str:
    """Bytes as letters only: a row of random digits would now and then look like a telephone number."""
    return body.hex().translate(LETTERS)


def unmask(masked: str) -> str:
    """The token; "" for what is none."""
    key, dot, body = masked.partition(".")
    try:
        halves = [bytes.fromhex(part.translate(DIGITS)) for part in (key, body)]
        pair = zip(*halves, strict=True)
        return bytes(one ^ other for one, other in pair).decode() if dot else ""
    except ValueError:
        return ""
