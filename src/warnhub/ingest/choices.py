"""Values from closed lists, web addresses and resources: what several forms ask of an element."""

import base64
import binascii
import re
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from lxml import etree

from warnhub.alert import Gate, Resource
from warnhub.ingest.findings import Findings
from warnhub.ingest.text import LINE, SHORT, clean_text
from warnhub.ingest.tree import child, children, said, words

E = TypeVar("E", bound=StrEnum)
OLD_WORDS = {"verylikely": "likely", "very likely": "likely"}


def choose(
    parent: etree._Element, name: str, kind: type[E], findings: Findings, gate: Gate, default: E | None = None
) -> E | None:
    """The member of `kind` that the child says, in any case; `default` if it is missing or says something else."""
    element = child(parent, name)
    text = words(element).strip()
    value = OLD_WORDS.get(text.lower(), text.lower())
    if value in kind._value2member_map_:
        return kind(value)
    if element is not None:
        findings.add(element, "INVALID_VALUE", text, ", ".join(kind), gate)
    return default


def read_required(root: etree._Element, name: str, findings: Findings) -> str:
    """The text of a child that must say something; "" if it does not (an absent one is told by the structure)."""
    element = child(root, name)
    text = words(element).strip()
    if element is None:
        return ""
    if not text:
        findings.add(element, "MISSING_REQUIRED_ELEMENT", name, f"{name} is empty", Gate.REFUSE)
    elif len(text) > SHORT:
        findings.add(element, "TOO_LONG", text, f"most {SHORT}")
        return ""
    return text


def read_web(info: etree._Element, findings: Findings) -> str:
    """An absolute http or https address, or ""."""
    element = child(info, "web")
    text = words(element).strip()
    if element is None or not text:
        return ""
    if len(text) > LINE or re.search(r"\s", text) or not is_absolute(text):
        findings.add(element, "INVALID_WEB", text)
        return ""
    return text


def is_absolute(text: str) -> bool:
    """Whether it is a whole http or https URL."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def read_resources(info: etree._Element, findings: Findings) -> list[Resource]:
    """The attachments, without their bytes."""
    return [read_resource(one, findings) for one in findings.first(info, children(info, "resource"), 200)]


def read_resource(element: etree._Element, findings: Findings) -> Resource:
    """One attachment; what is wrong with its address or its bytes is held."""
    check_bytes(element, findings)
    return Resource(
        description=clean_text(said(element, "resourceDesc"), element, findings, LINE, lines=False),
        mime=said(element, "mimeType")[:128],
        size=read_size(element, findings),
        uri=read_uri(element, findings),
        digest=said(element, "digest")[:256],
    )


def read_size(element: etree._Element, findings: Findings) -> int | None:
    """Bytes, or None."""
    text = said(element, "size")
    if text and not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        findings.add(element, "INVALID_SIZE", text)
        return None
    return int(text) if text else None


def read_uri(element: etree._Element, findings: Findings) -> str:
    """A URI, absolute or relative, or ""."""
    text = said(element, "uri")
    uri = child(element, "uri")
    if uri is not None and text and (len(text) > 4_000 or re.search(r"[\s<>\"{}|\\^`]", text)):
        findings.add(uri, "INVALID_URI", text)
        return ""
    return text


def check_bytes(element: etree._Element, findings: Findings) -> None:
    """Bytes inside the alert must be base64."""
    inside = child(element, "derefUri")
    text = "".join(words(inside).split())
    if inside is None or not text:
        return
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        findings.add(inside, "INVALID_DEREF_URI", text[:SHORT])
