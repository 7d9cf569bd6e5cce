"""Photographs and places that come with an answer, and one address that answers for many."""

import io
import zlib

import pytest
from PIL import ExifTags, Image

from warnhub.console.answer import read_place
from warnhub.response.photo import LARGEST, SIDE, Unusable, clean_photo


def photograph(size: tuple[int, int] = (3_000, 2_000), kind: str = "JPEG", gps: bool = True) -> bytes:
    """A picture as a camera writes it: turned, with its place, its owner and its make."""
    image = Image.new("RGB", size, (10, 120, 200))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "张三 13800138000"
    if gps:
        exif[ExifTags.IFD.GPSInfo] = {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: (26.0, 7.0, 30.0),
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: (117.0, 15.0, 0.0),
        }
    out = io.BytesIO()
    image.save(out, kind, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photograph_is_made_anew_without_what_the_camera_wrote(kind: str) -> None:
    photo = clean_photo(photograph(kind=kind))
    found = Image.open(io.BytesIO(photo.body))
    assert (found.format, max(found.size)) == ("JPEG", SIDE)
    assert found.size[1] > found.size[0], "it stands as it was held"
    assert dict(found.getexif()) == {}
    assert b"13800138000" not in photo.body
    assert photo.place == pytest.approx((117.25, 26.125))


def test_a_camera_without_a_place_says_none() -> None:
    assert clean_photo(photograph(gps=False)).place is None


def bomb() -> bytes:
    """A PNG of 60,000 × 60,000 pixels in a few hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = (60_000).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GIF89a" + b"\0" * 50, id="another form"),
        pytest.param(photograph()[:900], id="broken off"),
        pytest.param(b"\xff\xd8" + b"\0" * 200, id="noise"),
        pytest.param(b"\xff" * (LARGEST + 1), id="too many bytes"),
        pytest.param(bomb(), id="too many pixels"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="a drawing"),
    ],
)
def test_what_is_no_photograph_is_refused(body: bytes) -> None:
    with pytest.raises(Unusable, match="photo"):
        clean_photo(body)


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("26.123, 117.456", (117.456, 26.123)),
        ("117.456 26.123", (117.456, 26.123)),
        ("２６．１２３，１１７．４５６", (117.456, 26.123)),
        ("26.123", None),
        ("北山脚下", None),
        ("26.1, 117.2, 3", None),
        ("117, 117", None),
        ("-26.1, 117.2", None),
        ("1e9, 117", None),
    ],
)
def test_a_place_is_two_degrees_of_the_country(typed: str, place: tuple[float, float] | None) -> None:
    assert read_place(typed) == place
