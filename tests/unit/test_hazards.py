"""The table of hazards: names, classes, and default lives with their reasons."""

from datetime import timedelta

import pytest

from warnhub.hazards import HazardClass, default_life, hazard_class, hazard_name, hazard_table, known, life_of, life_table

COUNTY = (
    "11A01 11A02 11A03 11A51 11B01 11B03 11B04 11B05 11B06 11B09 11B14 11B15 11B16 11B17 11B19 11B20 11B21 11B22 11B25 "
    "11B31 11B37 11C02 11D01 11D02 11D03 11G01"
)


@pytest.mark.parametrize("code", COUNTY.split())
def test_a_countys_hazards_have_both_names(code: str) -> None:
    assert known(code)
    assert hazard_name(code) != hazard_name(code, "en")
    assert hazard_name(code, "en").isascii()
    assert hazard_name(code, "zh-CN") == hazard_name(code)


def test_names() -> None:
    assert hazard_name("11B03") == "暴雨"
    assert hazard_name("11D01", "en-GB") == "Landslide"
    assert hazard_name("14B03", "en") == "放火案件"  # better the Chinese name than none


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("11A51", HazardClass.HYDROLOGICAL),
        ("11B03", HazardClass.METEOROLOGICAL),
        ("11C02", HazardClass.GEOLOGICAL),
        ("11D02", HazardClass.GEOLOGICAL),
        ("11G01", HazardClass.OTHER),
        ("11B73", HazardClass.METEOROLOGICAL),
        ("11D77", HazardClass.GEOLOGICAL),
        ("ZZZZZ", HazardClass.OTHER),
    ],
)
def test_classes(code: str, kind: HazardClass) -> None:
    assert hazard_class(code) is kind


def test_an_unknown_code_is_another_hazard_of_its_class() -> None:
    assert not known("11B73")
    assert hazard_name("11B73") == "其它气象灾害"
    assert hazard_name("11A77", "en") == "Other flood or drought"
    assert hazard_name("XX") == "其它突发事件"


@pytest.mark.parametrize(
    ("code", "hours"), [("11B03", 12), ("11B05", 48), ("11B14", 6), ("11A01", 24), ("11A51", 26), ("11B22", 168), ("?", 24)]
)
def test_default_lives(code: str, hours: int) -> None:
    assert default_life(code) == timedelta(hours=hours)
    assert life_of(code).zh
    assert life_of(code).en


def test_the_tables_are_whole() -> None:
    assert len(hazard_table()) == 416
    assert {entry.status for entry in hazard_table().values()} == {"confirmed", "table", "ocr", "single", "doubtful"}
    prefixes = [life.prefix for life in life_table()]
    assert len(prefixes) == len(set(prefixes))
    assert prefixes == sorted(prefixes, key=len, reverse=True)
    assert all(0 < life.hours <= 168 for life in life_table())
