"""The end of an exported file: the SHA-256 of every byte before it, and this installation's seal over that.

A spreadsheet carries it where a zip keeps its comment, the other kinds as their last words; each stays what it is to whoever
reads it. A file that was cut off has no end, and one that was changed does not fit it.
"""

import hashlib
import re
from hmac import compare_digest
from pathlib import Path
from typing import NamedTuple

from warnhub.crypto import KeyRing
from warnhub.monitor.report import seal_digest

FORMS = {
    "csv": b"SHA-256,%s\r\nseal,%s\r\n",
    "json": b',"sha256":"%s","seal":"%s"}\n',
    "xlsx": b"warnhub sha256=%s seal=%s",
}
HEX = rb"([0-9a-f]{64})", rb"([0-9a-f]{32})"
ENDS = {kind: re.compile(re.escape(form).replace(rb"%s", b"%s") % HEX + rb"\Z") for kind, form in FORMS.items()}
LONGEST = 256
CHUNK = 1 << 20
NO_COMMENT = b"\0\0"
"""How a zip without a comment ends: its length, of two bytes."""


class Trailer:
    """Sees every part of a file on its way out, and gives its end."""

    def __init__(self, kind: str, keys: KeyRing) -> None:
        self.kind = kind
        self.keys = keys
        self.digest = hashlib.sha256()

    def add(self, part: bytes) -> bytes:
        """One part, as it is."""
        self.digest.update(part)
        return part

    def end(self) -> bytes:
        """What comes last; of a spreadsheet in place of its last two bytes, which must be `NO_COMMENT`."""
        digest = self.digest.hexdigest()
        said = FORMS[self.kind] % (digest.encode(), seal_digest(self.keys, digest).encode())
        return len(said).to_bytes(2, "little") + said if self.kind == "xlsx" else said


class Verdict(NamedTuple):
    """What is to be said of a file. `kind`: "" where it has no end of ours; `whole`: its bytes are those that were hashed;
    `ours`: this installation sealed them."""

    kind: str
    digest: str
    whole: bool
    ours: bool

    @property
    def fits(self) -> bool:
        """Whether it is as it left."""
        return self.whole and self.ours


def check_file(path: Path, keys: KeyRing) -> Verdict:
    """Whether a file is as it was exported here. OSError if it cannot be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - LONGEST))
        tail = file.read()
        ends = [(kind, found) for kind, form in ENDS.items() if (found := form.search(tail))]
        if not ends:
            return Verdict("", "", False, False)
        kind, found = ends[0]
        left = size - len(found[0]) - (len(NO_COMMENT) if kind == "xlsx" else 0)
        digest = hashlib.sha256()
        file.seek(0)
        while left > 0 and (part := file.read(min(CHUNK, left))):
            digest.update(part)
            left -= len(part)
    if kind == "xlsx":
        digest.update(NO_COMMENT)
    said, seal = found[1].decode(), found[2].decode()
    return Verdict(kind, said, compare_digest(digest.hexdigest(), said), compare_digest(seal_digest(keys, said), seal))
