"""Our own JSON → `Alert`. Paths are written `areas[0].polygons[1]`, with `[n].` before them in an array of alerts.

The schema is `schemas/alert.schema.json`. On the way in `original`, `effective` and `expires` may be left out; hazard and
level may not. Unknown names are refused, so that a misspelt `expires` is not a missing one.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from warnhub.alert import Alert, Gate, Kind, Reference, Verdict
from warnhub.hazards import known
from warnhub.ingest.findings import Findings, Limits, Unreadable, spot
from warnhub.ingest.geometry import ODD_KILOMETRES, check_ring, check_shape, on_globe, to_datum
from warnhub.ingest.mapping import check_titles
from warnhub.ingest.places import DIVISION
from warnhub.ingest.references import check_references
from warnhub.ingest.text import HEADLINE, LINE, LONG, SHORT, clean_text
from warnhub.ingest.times import check_expiry, check_sent, read_time, settle_expiry

MARKS = frozenset(("identifier", "sender", "sent", "hazard", "level"))
TIMES = ("sent", "effective", "onset", "expires")
DEEPEST = 32
ANY_TIME = "2000-01-01T00:00:00Z"  # where `sent` or `hazard` is missing, so that only they are named
FAR = 1e9
PROSE = {"headline": HEADLINE, "event": SHORT, "sender_name": SHORT, "contact": LINE, "description": LONG, "instruction": LONG}
LINES = frozenset(("description", "instruction"))
ENDS = ("cancel", "ack", "error")
NAME = re.compile(r"[^\s,<&]+")


class Duplicate(ValueError):
    """A JSON object names the same key twice."""


class NotNumber(ValueError):
    """NaN or an infinity."""


def parse_json(body: bytes) -> Any:
    """The value. Raises `Unreadable` for what JSON does not allow, duplicate keys, NaN, and depth beyond 32."""
    try:
        value = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=no_duplicates, parse_constant=no_constant, parse_float=finite
        )
    except Duplicate as error:
        raise Unreadable("JSON_DUPLICATE_KEY", value=error) from error
    except NotNumber as error:
        raise Unreadable("JSON_NOT_A_NUMBER", value=error) from error
    except RecursionError as error:
        raise Unreadable("JSON_TOO_DEEP", f"most {DEEPEST}") from error
    except ValueError as error:
        raise Unreadable("JSON_INVALID", str(error)[:200]) from error
    if depth(value) > DEEPEST:
        raise Unreadable("JSON_TOO_DEEP", f"most {DEEPEST}")
    return value


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object, unless a key is there twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise Duplicate(next(key for key in keys if keys.count(key) > 1))
    return table


def no_constant(name: str) -> float:
    """JSON has no NaN."""
    raise NotNumber(name)


def finite(text: str) -> float:
    """A number; 1e999 is none."""
    value = float(text)
    if math.isinf(value):
        raise NotNumber(text)
    return value


def depth(value: Any) -> int:
    """How deep it is nested, counted without recursion."""
    deepest, level = 0, [value]
    while level:
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        deepest += 1
    return deepest


def is_native(value: Any) -> bool:
    """Whether a JSON object is meant to be ours."""
    return isinstance(value, Mapping) and bool(MARKS & set(value))


def read_native(value: Mapping[str, Any], limits: Limits, now: datetime | None, base: str = "") -> Verdict:
    """The verdict on one JSON object; `base` is its own place in the document."""
    findings = Findings(limits, now)
    fields = dict(value)
    if too_large(fields, base, findings):
        return Verdict(gate=Gate.REFUSE, problems=findings.problems)
    clean_texts(fields, base, findings)
    if isinstance(fields.get("areas"), list):
        fields["areas"] = [gate_area(one, spot(base, "areas", at), findings) for at, one in enumerate(fields["areas"])]
    fill_times(fields, base, findings)
    return findings.verdict(lambda: build_alert(fields, base, findings), base)


def too_large(fields: Mapping[str, Any], base: str, findings: Findings) -> bool:
    """Whether it has more shapes or points than allowed; counted before any is looked at."""
    areas = objects(fields.get("areas"))
    polygons = [one for area in areas for name in ("polygons", "excluded") for one in objects(area.get(name))]
    circles = sum(len(objects(area.get("circles"))) for area in areas)
    points = circles + sum(len(ring) for one in polygons for ring in lists(one.get("rings")))
    limits, shapes = findings.limits, len(polygons) + circles
    if shapes <= limits.max_polygons and points <= limits.max_points:
        return False
    most = f"most {limits.max_polygons} shapes, {limits.max_points} points"
    findings.add(spot(base, "areas"), "GEOMETRY_TOO_LARGE", f"{shapes} shapes, {points} points", most)
    return True


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; of anything else the schema will speak."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def lists(value: Any) -> list[list[Any]]:
    """The lists in a list."""
    return [one for one in value if isinstance(one, list)] if isinstance(value, list) else []


def clean_texts(fields: dict[str, Any], base: str, findings: Findings) -> None:
    """Every text and every spoken word through the text gate, in copies."""
    for name, parts in (("texts", PROSE), ("spoken", {"text": LONG})):
        if isinstance(fields.get(name), list):
            places = enumerate(fields[name])
            fields[name] = [clean_parts(one, parts, spot(base, name, at), findings) for at, one in places]


def clean_parts(value: Any, parts: Mapping[str, int], path: str, findings: Findings) -> Any:
    """A copy with its strings cleaned; anything but an object is left to the schema."""
    if not isinstance(value, dict):
        return value
    cleaned = {
        name: clean_text(text, spot(path, name), findings, parts[name], name in LINES)
        for name, text in value.items()
        if name in parts and isinstance(text, str)
    }
    return value | cleaned


def gate_area(value: Any, path: str, findings: Findings) -> Any:
    """A copy of the area with only its sound polygons and codes; an excluded one that is not sound is held."""
    if not isinstance(value, dict):
        return value
    area = dict(value)
    for name in ("polygons", "excluded"):
        if isinstance(area.get(name), list):
            gated = [gate_polygon(one, spot(path, name, at), findings) for at, one in enumerate(area[name])]
            if name == "excluded" and None in gated:
                findings.add(spot(path, name), "EXCLUSION_UNUSED", gated.count(None))
            area[name] = [one for one in gated if one is not None]
    if isinstance(area.get("circles"), list):
        area["circles"] = [gate_circle(one, spot(path, "circles", at), findings) for at, one in enumerate(area["circles"])]
    if isinstance(area.get("codes"), list):
        named = [{"value": one} if isinstance(one, str) else one for one in area["codes"]]
        kept = [(at, one) for at, one in enumerate(named) if sound_code(one, spot(path, "codes", at), findings)]
        area["codes"] = [one for _, one in kept]
    return area


def sound_code(value: Any, path: str, findings: Findings) -> bool:
    """Whether a division code has its digits; a short one would be wider than meant."""
    if not isinstance(value, dict) or value.get("scheme", "cn") != "cn" or not isinstance(value.get("value"), str):
        return True
    if DIVISION.fullmatch(value["value"]):
        return True
    findings.add(path, "GEOCODE_INVALID", value["value"])
    return False


def gate_circle(value: Any, path: str, findings: Findings) -> Any:
    """The circle in WGS-84; what is none, or lies off the globe, is left to the schema."""
    centre = pair(value.get("center")) if isinstance(value, dict) else None
    if centre is None or not on_globe(centre):
        return value
    radius = value.get("radius")
    if type(radius) in (int, float) and radius > ODD_KILOMETRES:
        findings.add(path, "CIRCLE_IMPLAUSIBLE", f"{radius:g} m")
    return value | {"center": list(to_datum([centre], path, findings)[0])}


def gate_polygon(value: Any, path: str, findings: Findings) -> Any:
    """The polygon if its rings are sound, else None; what is no polygon at all is left to the schema."""
    if not isinstance(value, dict) or not isinstance(value.get("rings"), list):
        return value
    rings = [[pair(one) for one in ring] for ring in lists(value["rings"])]
    if len(rings) < len(value["rings"]) or not rings or not all(rings) or any(None in ring for ring in rings):
        return value
    checked = [
        check_ring([one for one in ring if one], spot(path, "rings", at), findings, close=True) for at, ring in enumerate(rings)
    ]
    sound = [ring for ring in checked if ring]
    if len(sound) < len(rings) or not check_shape(sound, path, findings):
        return None
    return value | {"rings": sound}


def pair(value: Any) -> tuple[float, float] | None:
    """Two numbers; one that no float holds is merely far off the globe."""
    if isinstance(value, list) and len(value) == 2 and all(type(one) in (int, float) for one in value):
        x, y = (float(one) if abs(one) < FAR else FAR for one in value)
        return x, y
    return None


def fill_times(fields: dict[str, Any], base: str, findings: Findings) -> None:
    """Times through their gate, and what may be left out filled in: effective, expires, original."""
    times = {name: read_stated(fields, name, base, findings) for name in TIMES}
    sent, hazard = times["sent"], fields.get("hazard")
    ends = fields.get("kind") in ENDS
    given = {"expires_given": True, "effective_given": times["effective"] is not None}
    if sent and isinstance(hazard, str):
        check_sent(sent, spot(base, "sent"), findings)
        times["effective"] = times["effective"] or sent
        stated = times["expires"]
        if stated is None or not ends:
            times["expires"], given["expires_given"] = settle_expiry(
                stated, sent, hazard, spot(base, "expires"), findings, ends
            )
    if times["expires"] and not ends:
        check_expiry(times["expires"], times["onset"], spot(base, "expires"), findings)
    fields.update({name: ANY_TIME for name in ("effective", "expires") if not fields.get(name)})
    fields.update({name: moment.isoformat() for name, moment in times.items() if moment})
    original = fields.get("original")
    if original is None:
        fields["original"] = {"form": "native", "hazard": hazard, "level": fields.get("level"), **given}
    elif isinstance(original, dict):
        fields["original"] = original | {name: False for name, stated in given.items() if not stated}


def read_stated(fields: Mapping[str, Any], name: str, base: str, findings: Findings) -> datetime | None:
    """A time given as text."""
    value = fields.get(name)
    if isinstance(value, str):
        return read_time(value, spot(base, name), findings)
    if value is not None:
        findings.add(spot(base, name), "TIME_INVALID", value)
    return None


def build_alert(fields: Mapping[str, Any], base: str, findings: Findings) -> Alert:
    """The alert, if the schema takes it, and what the schema cannot say."""
    alert = Alert.model_validate_json(json.dumps(fields), strict=True)
    for name, value, rule in (
        ("identifier", alert.identifier, "INVALID_IDENTIFIER"),
        ("sender", alert.sender, "INVALID_SENDER"),
    ):
        if not NAME.fullmatch(value):
            findings.add(spot(base, name), rule, value)
    if not known(alert.hazard):
        findings.add(spot(base, "hazard"), "HAZARD_UNKNOWN", alert.hazard)
    own = Reference(identifier=alert.identifier, sender=alert.sender, sent=alert.sent)
    check_references(alert.references, own, alert.kind, spot(base, "references"), findings)
    titles = [words for text in alert.texts for words in (text.headline, text.event)]
    check_titles(alert.status, alert.kind, [alert.hazard], titles, spot(base, "texts"), findings)
    if alert.kind in (Kind.ALERT, Kind.UPDATE):
        if not any(area.placeable for area in alert.areas):
            findings.add(spot(base, "areas"), "NO_AREA")
        if not alert.texts:
            findings.add(spot(base, "texts"), "MISSING_INFO")
    return alert
