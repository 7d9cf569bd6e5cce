"""The directory of areas, people and devices, as the county's offices send it."""

from warnhub.directory.people import import_devices, import_people
from warnhub.directory.places import import_areas
from warnhub.directory.report import BadLine, Progress, Report

__all__ = ["BadLine", "Progress", "Report", "import_areas", "import_devices", "import_people"]
