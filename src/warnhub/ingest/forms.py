"""The forms that are read: how each is told, and who reads it.

A further form is a reader and one line of `FORMS`. Lines are tried in order, so the more particular stand first.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from lxml import etree

from warnhub.alert import Gate, Problem, Verdict
from warnhub.ingest import geology, hydrology
from warnhub.ingest.cap import read_cap
from warnhub.ingest.filename import check_name
from warnhub.ingest.findings import Limits, Unreadable, add_problems, local, refusal
from warnhub.ingest.forecast import is_forecast, read_forecast
from warnhub.ingest.lists import is_list, read_list
from warnhub.ingest.national import is_national, read_national
from warnhub.ingest.native import is_native, parse_json, read_native
from warnhub.ingest.nws import is_nws, read_nws
from warnhub.ingest.package import START, Package, open_package, read_package
from warnhub.ingest.signature import judge_signatures
from warnhub.ingest.stations import is_column
from warnhub.ingest.table import Table, parse_table
from warnhub.ingest.tree import parse_xml
from warnhub.ingest.wrapper import holds_alerts, read_enclosed

Document = Any
JSON = frozenset(("application/json", "text/json", "application/geo+json", "application/ld+json"))
XML = frozenset(
    (
        "application/cap+xml",
        "application/common-alerting-protocol+xml",
        "application/xml",
        "text/xml",
        "application/atom+xml",
        "application/rss+xml",
        "application/emergency+xml",
    )
)
CSV = frozenset(("text/csv", "application/csv", "text/tab-separated-values", "application/vnd.ms-excel"))
ZIP = frozenset(("application/zip", "application/x-zip-compressed"))
MEDIA = JSON | XML | CSV | ZIP
"""What an agency may POST; a file without a type is told by its content."""
UNSAID = frozenset(("", "application/octet-stream", "text/plain", "application/x-www-form-urlencoded"))
BLANK = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"


class Form(NamedTuple):
    """A form: its name, the media types it comes under, how its document is told, and its reader.

    `told` and `read` get the lxml root of XML forms, the decoded value of JSON forms and the table of CSV forms; `read` yields
    one verdict an alert.
    """

    name: str
    media: frozenset[str]
    told: Callable[[Document], bool]
    read: Callable[[Document, Limits, datetime | None], Iterator[Verdict]]


def is_cap(root: Document) -> bool:
    """An `alert` that is not the national profile's, whatever its namespace."""
    return local(root) == "alert"


def is_native_list(value: Document) -> bool:
    """Several of ours in one array."""
    return isinstance(value, list) and any(is_native(one) for one in value)


def read_natives(values: Document, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """Each of ours in an array."""
    for at, one in enumerate(values):
        if is_native(one):
            yield read_native(one, limits, now, f"[{at}]")
        else:
            yield refusal(Unreadable("FORM_NOT_READ", title(one), f"[{at}]").problem)


FORMS: tuple[Form, ...] = (
    Form("forecast", JSON, is_forecast, read_forecast),
    Form("hydrology", JSON, hydrology.is_hydrology, hydrology.read_hydrology),
    Form("geology", JSON, geology.is_geology, geology.read_geology),
    Form("native", JSON, is_native, lambda value, limits, now: iter([read_native(value, limits, now)])),
    Form("native array", JSON, is_native_list, read_natives),
    Form("nws", JSON, is_nws, read_nws),
    Form("weather list", JSON, is_list, read_list),
    Form("package", ZIP, lambda package: True, lambda package, limits, now: read_members(package, limits, now)),
    Form("hydrology table", CSV, hydrology.is_table, hydrology.read_table),
    Form("geology table", CSV, geology.is_table, geology.read_table),
    Form("national", XML, is_national, lambda root, limits, now: iter([read_national(root, limits, now)])),
    Form("cap", XML, is_cap, read_cap),
    Form("alerts in a wrapper", XML, holds_alerts, lambda root, limits, now: read_enclosed(root, limits, now, read_alerts)),
)


def read_alerts(
    body: bytes,
    media: str | None = None,
    limits: Limits | None = None,
    now: datetime | None = None,
    name: str | None = None,
) -> list[Verdict]:
    """One verdict for each alert in `body`, at least one; never an exception for what came in.

    `media` is the content type as sent, or None where there is none (a file). `now` None judges nothing against the clock.
    `name` is that of the file, if it has one.
    """
    limits = limits or Limits()
    try:
        verdicts = take_all(body, kind_of(media), limits, now)
    except Unreadable as error:
        return [refusal(error.problem)]
    return [check_name(name, verdict) for verdict in verdicts] if name else verdicts


def read_members(package: Package, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """Each alert of each message in a package. A package inside a package is an attachment."""
    return read_package(package, lambda body, name: read_alerts(body, None, limits, now, name))


def take_all(body: bytes, kind: str, limits: Limits, now: datetime | None) -> list[Verdict]:
    """The verdicts. Raises `Unreadable` if the document as a whole cannot be read."""
    if len(body) > limits.max_bytes:
        raise Unreadable("BODY_TOO_LARGE", f"most {limits.max_bytes}", value=len(body))
    start = body.lstrip(BLANK)[:1]
    if not start:
        raise Unreadable("BODY_EMPTY")
    family = family_of(body, kind, start)
    if kind not in family | UNSAID:
        raise Unreadable("MEDIA_UNSUPPORTED", "the body is another form", value=kind)
    document = parse_document(body, family, limits)
    form = next((one for one in FORMS if one.media is family and one.told(document)), None)
    if form is None:
        raise Unreadable("FORM_NOT_READ", title(document), f"/{title(document)}[1]" if family is XML else "/")
    trust = check_trust(document, limits, now)
    verdicts: list[Verdict] = []
    alerts = 0
    for verdict in form.read(document, limits, now):
        alerts += verdict.alert is not None or verdict.gate is Gate.REFUSE  # readings that are none have a bound of their own
        if alerts > limits.max_alerts:
            raise Unreadable("TOO_MANY_ALERTS", f"most {limits.max_alerts}")
        verdicts.append(add_problems(verdict, trust))
    if not verdicts:
        raise Unreadable("BODY_EMPTY", f"a {form.name} with nothing in it")
    return verdicts


def check_trust(document: Document, limits: Limits, now: datetime | None) -> list[Problem]:
    """What the document's signatures say of its alerts. Raises `Unreadable` where one is demanded and there is none."""
    if isinstance(document, etree._Element):
        return judge_signatures(document, limits, now)
    if limits.signed and not isinstance(document, Package):  # each message in a package is judged by itself
        raise Unreadable("SIGNATURE_MISSING", "a body that is not XML is signed in its headers")
    return []


def family_of(body: bytes, kind: str, start: bytes) -> frozenset[str]:
    """XML, JSON, a zip package or CSV: by how it begins; text by what it was sent as, or by a comma in its first lines."""
    if body.startswith(START):
        return ZIP
    if start in (b"<", b"{", b"["):
        return XML if start == b"<" else JSON
    if kind in CSV:
        return CSV
    text = kind in UNSAID and not body.startswith((b'"', b"-")) and any(one in body[:4_000] for one in (b",", b"\t", b";"))
    return CSV if text else JSON


def parse_document(body: bytes, family: frozenset[str], limits: Limits) -> Document:
    """What the readers of a family read."""
    if family is XML:
        return parse_xml(body, limits.max_elements)
    if family is ZIP:
        return open_package(body, limits)
    return parse_table(body, limits.max_readings, is_column) if family is CSV else parse_json(body)


def kind_of(media: str | None) -> str:
    """The bare media type, lower case. Raises `Unreadable` for one no form comes under."""
    kind = (media or "").split(";")[0].strip().lower()
    if kind not in MEDIA | UNSAID:
        raise Unreadable("MEDIA_UNSUPPORTED", value=kind)
    return kind


def title(document: Document) -> str:
    """What a document calls itself: the root element, or the keys of an object."""
    if isinstance(document, etree._Element):
        return local(document)
    if isinstance(document, Package):
        return "package"
    if isinstance(document, Table):
        return f"table of {', '.join(document.headers[:5])}"[:200]
    if isinstance(document, dict):
        named = document.get("type")
        keys = ", ".join(re.sub(r"[^\w@.-]", "?", key) for key in list(document)[:5])
        return f"{named}" if isinstance(named, str) and len(named) < 40 else f"object of {keys or 'nothing'}"
    return f"JSON {type(document).__name__}"
