"""Keys and what is made with them: addresses at rest, blind indexes, links, references.

One master key (`WARNHUB_SECRET_KEY`, 32 bytes in base64) gives every other key by HKDF-SHA256 with its purpose as info, so that
a leaked link key opens no address. AES-256-GCM with a random 96-bit nonce; blind indexes are HMAC-SHA256 cut to 16 bytes.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12
# Twelve digits of base 36 still fit a number of the database's.
REFERENCE = re.compile(r"w([0-9a-z]{1,12})-r([0-9a-z]{1,12})")
MAC = 8
AGE = re.compile(r"[0-9a-f]{1,12}")


class Unreadable(ValueError):
    """What is kept does not open: it was changed, or sealed with another key."""


class KeyRing:
    """The keys of one installation, derived once."""

    def __init__(self, master: str) -> None:
        raw = decode_key(master)
        self.gcm = AESGCM(derive_key(raw, b"address"))
        self.blind_key = derive_key(raw, b"blind")
        self.link_key = derive_key(raw, b"link")
        self.form_key = derive_key(raw, b"form")
        self.pass_key = derive_key(raw, b"pass")
        self.check = hashlib.sha256(derive_key(raw, b"check")).hexdigest()[:16]

    def seal(self, text: str) -> bytes:
        """Nonce and AES-GCM ciphertext of `text`."""
        nonce = os.urandom(NONCE)
        return nonce + self.gcm.encrypt(nonce, text.encode(), None)

    def unseal(self, sealed: bytes) -> str:
        """The text. Raises `Unreadable`."""
        try:
            return self.gcm.decrypt(sealed[:NONCE], sealed[NONCE:], None).decode()
        except InvalidTag as error:
            raise Unreadable("an address does not open with this key: was WARNHUB_SECRET_KEY changed?") from error

    def blind(self, channel: str, value: str) -> bytes:
        """What an address is looked up by, 16 bytes; says nothing without the key."""
        return hmac.digest(self.blind_key, f"{channel}\0{value}".encode(), "sha256")[:16]

    def link_token(self, wave: int, recipient: int) -> str:
        """The token of a recipient's own page: 8–18 bytes of numbers and 8 of MAC, in base64url."""
        packed = pack_numbers(wave, recipient)
        return encode(packed + hmac.digest(self.link_key, packed, "sha256")[:MAC])

    def open_token(self, token: str) -> tuple[int, int] | None:
        """(wave, recipient) of a token we made; None for any other text."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        packed, mac = raw[:-MAC], raw[-MAC:]
        if encode(raw) != token or not hmac.compare_digest(hmac.digest(self.link_key, packed, "sha256")[:MAC], mac):
            return None
        return unpack_numbers(packed)

    def reply_code(self, recipient: int) -> str:
        """Four digits by which a person's answer is told from others' at the same number; the first is no 0."""
        number = int.from_bytes(hmac.digest(self.link_key, b"reply\0" + pack_numbers(recipient), "sha256")[:8], "big")
        return str(1_000 + number % 9_000)

    def form_nonce(self, token: str, at: int) -> str:
        """What a field page carries from its loading (`at`, seconds) to the button: time and MAC."""
        mac = hmac.digest(self.form_key, f"{token}\0{at}".encode(), "sha256")[:MAC]
        return f"{at:x}.{encode(mac)}"

    def nonce_age(self, token: str, nonce: str, now: int) -> int | None:
        """Seconds since the page with this nonce was loaded; None if it is not ours."""
        head, _, _ = nonce.partition(".")
        if not nonce.isascii() or not AGE.fullmatch(head):
            return None
        at = int(head, 16)
        return now - at if hmac.compare_digest(self.form_nonce(token, at), nonce) else None

    def make_pass(self, name: str, until: int) -> str:
        """What a browser keeps after its owner has shown that they are who `name` says: good until `until`, seconds."""
        mac = hmac.digest(self.pass_key, f"{name}\0{until}".encode(), "sha256")[:16]
        return f"{until:x}.{encode(mac)}"

    def check_pass(self, name: str, given: str, now: int) -> bool:
        """Whether this is a pass of ours for `name` that is still good."""
        head, _, _ = given.partition(".")
        if not given.isascii() or not AGE.fullmatch(head):
            return False
        until = int(head, 16)
        return now < until and hmac.compare_digest(self.make_pass(name, until), given)


def derive_key(master: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose."""
    return HKDF(SHA256(), 32, salt=b"warnhub.1", info=purpose).derive(master)


def decode_key(text: str) -> bytes:
    """The 32 bytes of a master key; ValueError says what is wrong without showing it."""
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("secret_key must be base64; make one with `warnhub key`") from error
    if len(raw) < 32:
        raise ValueError(f"secret_key must be at least 32 bytes, this is {len(raw)}; make one with `warnhub key`")
    return raw


def make_key() -> str:
    """A new master key."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def hash_key(key: str) -> str:
    """What of a random API key or session id is stored; the key has 256 bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def pack_numbers(*numbers: int) -> bytes:
    """Numbers as LEB128."""
    out = bytearray()
    for number in numbers:
        while number > 0x7F:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def unpack_numbers(raw: bytes) -> tuple[int, int] | None:
    """Exactly two LEB128 numbers; None for anything else."""
    numbers, number, shift = [], 0, 0
    for byte in raw:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(number)
            number, shift = 0, 0
    return (numbers[0], numbers[1]) if len(numbers) == 2 and shift == 0 else None


def make_reference(wave: int, recipient: int) -> str:
    """Our own name for a delivery, computed: `w1a-r2b` in base 36; a wave is one warning, channel and round."""
    return f"w{base36(wave)}-r{base36(recipient)}"


def read_reference(text: str) -> tuple[int, int] | None:
    """(wave, recipient) of a reference; None for any other text."""
    found = REFERENCE.fullmatch(text)
    return (int(found[1], 36), int(found[2], 36)) if found else None


def base36(number: int) -> str:
    """A number in 0-9a-z."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    out = ""
    while number >= 36:
        number, rest = divmod(number, 36)
        out = digits[rest] + out
    return digits[number] + out
