"""Write the published contracts that come from the code; with --check, say whether they have drifted.

python scripts/contracts.py [--check]
"""

import json
import sys
from pathlib import Path
from typing import Any

from warnhub.alert import Gate
from warnhub.api.contract import alert_schema
from warnhub.api.topics import publish_topics
from warnhub.app import create_app
from warnhub.config import Settings
from warnhub.ingest import read_alerts

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
FORMS = {
    ".json": "application/json",
    ".xml": "application/xml",
    ".geojson": "application/geo+json",
    ".csv": "text/csv",
    ".zip": "application/zip",
}
HELD = {"weather-list.json": Gate.HOLD}  # such lists say who, not where: a person must place them


def publish_alert() -> dict[str, Any]:
    """The schema of one alert, with its head."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "WarnHub alert",
        "description": "One alert as an agency POSTs it. Left out, `effective` is `sent`, `expires` comes from the hazard's "
        "default life, and `original` is filled in. Points are longitude, latitude (WGS-84); radii are metres; times have "
        "an offset.",
    }
    return head | {name: value for name, value in alert_schema().items() if name not in head}


def publish_api() -> dict[str, Any]:
    """The routes for machines. They are there before the application runs, so no database is asked."""
    return create_app(Settings.model_construct()).openapi()


def contracts() -> dict[str, str]:
    """Each published file and what it must say."""
    made = {"alert.schema.json": publish_alert(), "openapi.json": publish_api(), "asyncapi.json": publish_topics()}
    return {name: json.dumps(schema, ensure_ascii=False, indent=2) + "\n" for name, schema in made.items()}


def drifted() -> list[str]:
    """Files that differ from the models, and examples that are no longer taken."""
    found = []
    for name, text in contracts().items():
        path = SCHEMAS / name
        if not path.is_file() or path.read_text("utf-8") != text:
            found.append(name)
    for path in sorted((SCHEMAS / "examples").iterdir()):
        verdicts = read_alerts(path.read_bytes(), FORMS.get(path.suffix), name=path.name)
        if any(verdict.gate is not HELD.get(path.name, Gate.ACCEPT) for verdict in verdicts):
            found.append(f"examples/{path.name}: {verdicts[0].problems[0].rule}")
    return found


def main() -> int:
    """0 if all is in step."""
    if "--check" not in sys.argv[1:]:
        for name, text in contracts().items():
            (SCHEMAS / name).write_text(text, "utf-8")
    found = drifted()
    for name in found:
        print(f"drifted: schemas/{name}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
