"""The examples of the guide are alerts that are taken as they stand."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from warnhub.alert import Gate, Level
from warnhub.ingest import read_alerts

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide.md"
EXAMPLES = re.findall(r'(?ms)Content-Type: ([a-z+/]+)" --data-binary @- <<EOT\n(.*?)^EOT$', GUIDE.read_text("utf-8"))


def test_there_is_an_example_of_every_form() -> None:
    assert [media for media, _ in EXAMPLES] == ["application/json", "application/cap+xml", "application/xml", "text/csv"]


@pytest.mark.parametrize(("media", "body"), EXAMPLES, ids=[media for media, _ in EXAMPLES])
def test_an_example_is_accepted(media: str, body: str) -> None:
    now = datetime.now(UTC).astimezone()
    shell = {
        "$(date +%s)": "1781252400",
        "$(date +%Y%m%d%H%M%S)": f"{now:%Y%m%d%H%M%S}",
        "$NOW": now.isoformat(timespec="seconds"),
        "$TIME": now.isoformat(" ", "seconds"),
    }
    for said, meant in shell.items():
        body = body.replace(said, meant)
    assert "$" not in body
    (verdict,) = read_alerts(body.encode(), media)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert verdict.alert
    assert verdict.alert.level is {"application/json": Level.ORANGE, "application/xml": Level.YELLOW}.get(media, Level.RED)
