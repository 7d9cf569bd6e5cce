"""Photographs that come with an answer: bounded before anything is decoded, made anew, and without what the camera wrote in.

Where the camera wrote the place, it is read first, and used only if the sender asked for it.
"""

import io
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, ImageOps

LARGEST = 6_000_000
"""Bytes of a photograph as it is sent."""

PIXELS = 50_000_000
SIDE = 1_600
QUALITY = 80
MEDIA = "image/jpeg"
FORMATS = ("JPEG", "PNG", "WEBP")


class Unusable(ValueError):
    """Not a photograph we keep; the text says why, and shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph as it is kept, and where its camera said it was taken (longitude, latitude)."""

    body: bytes
    place: tuple[float, float] | None


def clean_photo(body: bytes) -> Photo:
    """A JPEG of at most 1,600 pixels a side without metadata. Raises `Unusable`. Takes processor time: call it in a thread."""
    if not 0 < len(body) <= LARGEST:
        raise Unusable(f"photo: must be at most {LARGEST} bytes, this is {len(body)}")
    try:
        # The header alone is read here: nothing is decoded before its size is known.
        with Image.open(io.BytesIO(body), formats=FORMATS) as found:
            if found.width * found.height > PIXELS or not found.width or not found.height:
                raise Unusable(f"photo: must be at most {PIXELS} pixels, this is {found.width} × {found.height}")
            place = read_place(found)
            found.draft("RGB", (SIDE, SIDE))
            upright = ImageOps.exif_transpose(found) or found
            upright.thumbnail((SIDE, SIDE))
            plain = Image.new("RGB", upright.size, "white")
            plain.paste(upright.convert("RGB"))
    except Unusable:
        raise
    except (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError) as error:
        raise Unusable(f"photo: cannot be read ({type(error).__name__})") from None
    made = io.BytesIO()
    plain.save(made, "JPEG", quality=QUALITY, optimize=True)
    return Photo(made.getvalue(), place)


def read_place(image: Any) -> tuple[float, float] | None:
    """Where the camera says it was; None if it does not."""
    try:
        said = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        lat = degrees(said[ExifTags.GPS.GPSLatitude], said[ExifTags.GPS.GPSLatitudeRef] == "S")
        lon = degrees(said[ExifTags.GPS.GPSLongitude], said[ExifTags.GPS.GPSLongitudeRef] == "W")
    except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError, OSError, SyntaxError):
        return None
    return (lon, lat) if within(lon, lat) else None


def degrees(parts: Any, negative: bool) -> float:
    """Degrees, minutes and seconds as degrees."""
    whole, minutes, seconds = (float(part) for part in parts)
    value = whole + minutes / 60 + seconds / 3_600
    return -value if negative else value


def within(lon: float, lat: float) -> bool:
    """Whether these are degrees on the earth, and not the nothing that a camera without a fix writes."""
    return -180 <= lon <= 180 and -90 <= lat <= 90 and (lon, lat) != (0.0, 0.0)
