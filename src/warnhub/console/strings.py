"""Every word of the console, in Chinese and English: gettext catalogues, one folder a language, put together when they load.

A message's id is its place in the console (`act.release`), so that Chinese is nobody's translation of English. Each area of the
console may have a catalogue of its own: every `*.po` of a language's folder is read. `scripts/catalogues.py` checks them.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from io import BytesIO
from types import MappingProxyType
from typing import Any

from babel.messages.pofile import read_po

LANGUAGES = ("zh", "en")
LOCALES = {"zh": "zh_CN", "en": "en"}


def say(key: str, lang: str, **given: Any) -> str:
    """A message in a language, with what it names in braces filled in; KeyError for one that is in no catalogue."""
    return catalogue(lang)[key].format(**given)


def has_words(key: str) -> bool:
    """Whether there is such a message."""
    return key in catalogue(LANGUAGES[0])


@cache
def catalogue(lang: str) -> Mapping[str, str]:
    """Every message of a language by its id. ValueError for an id that stands in two catalogues."""
    found: dict[str, str] = {}
    for name, body in read_catalogues(lang).items():
        fresh = {str(one.id): str(one.string) for one in read_po(BytesIO(body), abort_invalid=True) if one.id}
        twice = found.keys() & fresh.keys()
        if twice:
            raise ValueError(f"{name}: {min(twice)} stands in another catalogue too")
        found |= fresh
    return MappingProxyType(found)


def read_catalogues(lang: str) -> dict[str, bytes]:
    """The catalogues of a language as they are written, by file name."""
    folder = files("warnhub.console").joinpath("locale", LOCALES[lang], "LC_MESSAGES")
    return {
        path.name: path.read_bytes() for path in sorted(folder.iterdir(), key=lambda p: p.name) if path.name.endswith(".po")
    }
