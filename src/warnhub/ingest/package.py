"""Zip packages: the messages inside, each read by its own form, and the attachments beside them, which are kept with them.

Nothing is unpacked to disk, and nothing beyond its bounds in memory: how many members, how large each, how large together,
stored or deflated, no two of one name, none that reads another's bytes.
"""

import base64
import binascii
import hashlib
import io
import mimetypes
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from warnhub.alert import Problem, Resource, Verdict
from warnhub.ingest.findings import Limits, Unreadable, add_problems, problem, refusal, spot

START = b"PK\x03\x04"
DOCUMENTS = frozenset((".xml", ".cap", ".json", ".geojson", ".csv"))
PLAIN = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
UTF8 = 0x800
ENCRYPTED = 0x1
MOST_MEMBERS = 200
MOST_UNPACKED = 64_000_000
MOST_RESOURCES = 200
BLOCK = 1 << 16
BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError, ValueError, OSError)
HEX = 40


class Attachment(NamedTuple):
    """A file that is no message. `sha1` is what the national profile names, `sha256` is ours; both in hex."""

    name: str
    size: int
    sha1: str
    sha256: str

    @property
    def mime(self) -> str:
        """Its type, by its name."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


class Package(NamedTuple):
    """A package: its messages as bytes by name, and its attachments."""

    documents: list[tuple[str, bytes]]
    attachments: list[Attachment]


def open_package(body: bytes, limits: Limits) -> Package:
    """The members. Raises `Unreadable` for what is no such package or passes a bound."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [one for one in archive.infolist() if not one.filename.endswith("/")]
            check_members(members, len(body), limits)
            return take_members(archive, members, limits)
    except BROKEN as error:
        raise Unreadable("PACKAGE_INVALID", str(error)[:200]) from error


def check_members(members: Sequence[zipfile.ZipInfo], size: int, limits: Limits) -> None:
    """The bounds, by what the members say of themselves; what they say is checked again as they are read."""
    if len(members) > MOST_MEMBERS:
        raise Unreadable("PACKAGE_TOO_LARGE", f"most {MOST_MEMBERS} members", value=len(members))
    names = [member_name(one) for one in members]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Unreadable("PACKAGE_INVALID", "two members of one name", value=twice)
    if sum(one.compress_size for one in members) > size:
        raise Unreadable("PACKAGE_INVALID", "members overlap")
    whole = sum(one.file_size for one in members)
    if whole > MOST_UNPACKED:
        raise Unreadable("PACKAGE_TOO_LARGE", f"most {MOST_UNPACKED} bytes unpacked", value=whole)
    for name, one in zip(names, members, strict=True):
        if one.flag_bits & ENCRYPTED or one.compress_type not in PLAIN:
            raise Unreadable("PACKAGE_INVALID", "encrypted, or packed in a way that is not read", value=name)
        if one.file_size > limits.max_bytes:
            raise Unreadable("PACKAGE_TOO_LARGE", f"most {limits.max_bytes} bytes a member", value=name)


def member_name(member: zipfile.ZipInfo) -> str:
    """The name without its folders; one that is not marked as UTF-8 is GB18030, as Chinese programs write it."""
    name = member.filename
    if not member.flag_bits & UTF8:
        try:
            name = name.encode("cp437").decode("gb18030")
        except UnicodeError:
            name = member.filename
    return PurePosixPath(name.replace("\\", "/")).name


def take_members(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], limits: Limits) -> Package:
    """Messages whole, attachments by their digests."""
    package = Package([], [])
    left = MOST_UNPACKED
    for one in members:
        name = member_name(one)
        with archive.open(one) as file:
            if PurePosixPath(name).suffix.lower() in DOCUMENTS:
                body = file.read(limits.max_bytes + 1)
                left -= len(body)
                package.documents.append((name, body))
            else:
                attachment = digest_member(name, iter(lambda file=file: file.read(BLOCK), b""), min(left, limits.max_bytes))  # type: ignore[misc]
                left -= attachment.size
                package.attachments.append(attachment)
        if left < 0:
            raise Unreadable("PACKAGE_TOO_LARGE", f"most {MOST_UNPACKED} bytes unpacked", value=name)
    return package


def take_attachment(body: bytes, digest: str, size: int, limits: Limits) -> bytes | None:
    """The attachment of a package with this SHA-256 (hex) and size; None where it has none. Raises `Unreadable`."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [one for one in archive.infolist() if not one.filename.endswith("/")]
            check_members(members, len(body), limits)
            for one in members:
                if one.file_size == size and PurePosixPath(member_name(one)).suffix.lower() not in DOCUMENTS:
                    with archive.open(one) as file:
                        found = file.read(size + 1)
                    if hashlib.sha256(found).hexdigest() == digest:
                        return found
    except BROKEN as error:
        raise Unreadable("PACKAGE_INVALID", str(error)[:200]) from error
    return None


def digest_member(name: str, blocks: Iterator[bytes], most: int) -> Attachment:
    """Size and digests of an attachment, read in blocks."""
    size, old, new = 0, hashlib.sha1(usedforsecurity=False), hashlib.sha256()
    for block in blocks:
        size += len(block)
        if size > most:
            raise Unreadable("PACKAGE_TOO_LARGE", f"most {most} bytes a member", value=name)
        old.update(block)
        new.update(block)
    return Attachment(name, size, old.hexdigest(), new.hexdigest())


def read_package(package: Package, read: Callable[[bytes, str], list[Verdict]]) -> Iterator[Verdict]:
    """The verdicts on each message, with its attachments; paths begin with the member's name."""
    if not package.documents:
        yield refusal(Unreadable("PACKAGE_EMPTY", value=len(package.attachments)).problem)
    for name, body in package.documents:
        mine = belonging(name, package)
        for verdict in read(body, name):
            placed = [one.model_copy(update={"path": f"{name}/{one.path.lstrip('/')}"}) for one in verdict.problems]
            yield attach(verdict.model_copy(update={"problems": placed}), mine, name)


def belonging(name: str, package: Package) -> list[Attachment]:
    """The attachments of one message: those named after it; all of them where it is the only one."""
    if len(package.documents) == 1:
        return package.attachments
    stem = PurePosixPath(name).stem
    return [one for one in package.attachments if one.name.startswith(stem)]


def attach(verdict: Verdict, attachments: Sequence[Attachment], name: str) -> Verdict:
    """The verdict with the alert's resources as they really are; one that differs from what was said of it is held."""
    if verdict.alert is None or not attachments:
        return verdict
    found: list[Problem] = []
    kept, left = [], {one.name: one for one in attachments}
    for at, resource in enumerate(verdict.alert.resources):
        named = next((one for one in (resource.uri, resource.description) if PurePosixPath(one).name in left), None)
        if named is None:
            kept.append(resource)
            continue
        attachment = left.pop(PurePosixPath(named).name)
        if differs(resource, attachment):
            place = f"{name}/{spot('', 'resources', at)}"
            found.append(
                problem(place, "RESOURCE_MISMATCH", attachment.name, f"{attachment.size} bytes, SHA-1 {attachment.sha1}")
            )
        kept.append(describe(attachment, resource.description))
    kept += [describe(one, one.name) for one in left.values()]
    if len(kept) > MOST_RESOURCES:
        found.append(problem(name, "TOO_MANY", len(kept), f"most {MOST_RESOURCES}"))
    alert = verdict.alert.model_copy(update={"resources": kept[:MOST_RESOURCES]})
    return add_problems(verdict.model_copy(update={"alert": alert}), found)


def differs(resource: Resource, attachment: Attachment) -> bool:
    """Whether size or digest are said to be others than they are."""
    if resource.size is not None and resource.size != attachment.size:
        return True
    return bool(resource.digest) and plain_digest(resource.digest) not in (attachment.sha1, attachment.sha256)


def plain_digest(text: str) -> str:
    """A digest in hex, from hex or base64, with or without the name of its algorithm."""
    bare = text.strip().rpartition(":")[2]
    if len(bare) >= HEX:
        return bare.lower()
    try:
        return base64.b64decode(bare, validate=True).hex()
    except (binascii.Error, ValueError):
        return bare.lower()


def describe(attachment: Attachment, description: str) -> Resource:
    """The resource an attachment is; its bytes stay in the package, which is kept as it came."""
    return Resource(
        description=description[:2_000],
        mime=attachment.mime,
        size=attachment.size,
        uri="" if " " in attachment.name else attachment.name[:4_000],
        digest=f"sha256:{attachment.sha256}",
    )
