"""A field page's form as it was posted: fields alone, or with a photograph; bounded while it is read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from warnhub.console.answer import FORM, LARGEST, read_form
from warnhub.response.photo import LARGEST as LARGEST_PHOTO

MULTIPART = "multipart/form-data"


class TooLarge(Exception):
    """More than a form of ours can be."""


@dataclass(frozen=True, slots=True)
class Post:
    """Each field with every value it was given, and the photograph as it was sent, b"" for none."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    photo: bytes = b""


async def read_post(request: Request) -> Post | None:
    """The form that was posted; None if it is none of ours. Raises `TooLarge` for a photograph that is, before more is read."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == FORM:
        body = bytearray()
        try:
            async for chunk in bounded(request.stream(), LARGEST):
                body += chunk
        except TooLarge:
            return None
        return Post(read_form(bytes(body)))
    return await read_parts(request) if media == MULTIPART else None


async def bounded(stream: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The same stream, ended by `TooLarge` where it is longer."""
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size > most:
            raise TooLarge
        yield chunk


async def read_parts(request: Request) -> Post | None:
    """A form in parts, of which one may be a photograph."""
    stream = bounded(request.stream(), LARGEST_PHOTO + LARGEST)
    parser = MultiPartParser(request.headers, stream, max_files=1, max_fields=20, max_part_size=LARGEST)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError):
        return None
    try:
        fields: dict[str, list[str]] = {}
        photo = b""
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                photo = await value.read() if name == "photo" else photo
            else:
                fields.setdefault(name, []).append(value)
        return Post(fields, photo)
    finally:
        await form.close()
