"""Every published example, posted under its own content type to the application: taken, and kept as what it is."""

import pytest
from alertdocs import EXAMPLES
from gatehouse import Gatehouse

AGENCY = "weather"
POSTS = [
    ("alert.json", "application/json", "native"),
    ("cap.xml", "application/cap+xml", "cap-1.2"),
    ("national.xml", "application/xml", "national"),
    ("package.zip", "application/zip", "national"),
    ("weather.geojson", "application/geo+json", "nws"),
    ("weather-list.json", "application/json", "weather-list"),
    ("hydrology.json", "application/json", "hydrology"),
    ("hydrology.csv", "text/csv", "hydrology"),
    ("geology.json", "application/json", "geology"),
    ("forecast.json", "application/json", "forecast"),
]


def test_there_is_a_post_of_every_example() -> None:
    assert sorted(name for name, _, _ in POSTS) == sorted(path.name for path in EXAMPLES.iterdir())


@pytest.mark.parametrize(("name", "media", "form"), POSTS, ids=[name for name, _, _ in POSTS])
async def test_each_example_is_taken_by_its_content_type(house: Gatehouse, name: str, media: str, form: str) -> None:
    house.hand.pass_by(minutes=60)
    body = (EXAMPLES / name).read_bytes()
    answer = await house.post(body, AGENCY, media)
    assert answer.status_code == 201, answer.text
    said = answer.json()
    made = said.get("alerts", [said])
    for one in made:
        kept = (await house.http.get(one["links"]["alert"], headers={"authorization": f"Bearer {house.keys[AGENCY]}"})).json()
        assert kept["alert"]["original"]["form"] == form
    again = await house.post(body, AGENCY, media)
    assert again.status_code == 200
    other = "image/png" if media != "image/png" else "text/html"
    assert (await house.post(body, AGENCY, other)).status_code == 415


async def test_a_file_name_that_says_another_colour_is_held(house: Gatehouse) -> None:
    name = "99012341600000_20260612160012_0_11B03_BLUE_ALERT.XML"
    body = (EXAMPLES / "national.xml").read_bytes()
    answer = await house.post(body, AGENCY, "application/xml", **{"content-disposition": f'attachment; filename="{name}"'})
    assert answer.json()["state"] == "held"
    assert "FILENAME_MISMATCH" in [note["rule"] for note in answer.json()["notes"]]
