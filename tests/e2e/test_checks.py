"""What the release page has looked at: cost, quotas, time, rosters, templates, conflicts; each with what is wrong, or that all
is well."""

import re
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from stage import NOW, Hub
from test_doors import enter

from warnhub.channels import Provider
from warnhub.port import ChannelSettings, Words
from warnhub.testing import Outbox

HOUR = 3_600_000


def set_provider(hub: Hub, name: str, adapter: Any = None, **given: Any) -> None:
    """A provider with other settings."""
    old = hub.providers[name]
    settings = ChannelSettings.model_validate(old.settings.model_dump() | given)
    hub.providers[name] = Provider(name, old.channel, adapter or old.adapter, settings)


async def read_page(base: str, uid: str, lang: str = "en") -> str:
    """The release page as an officer sees it."""
    async with httpx.AsyncClient(base_url=base) as client:
        await enter(client)
        page = await client.get(f"/console/warnings/{uid}/release?lang={lang}")
    assert page.status_code == 200
    return page.text


def find_checks(page: str) -> dict[str, list[tuple[str, str]]]:
    """(tone, words) of each check by its name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for tone, name, words in re.findall(r'<li class="(\w+)"><b>([^<]+)</b><span>(.*?)</span></li>', page, re.S):
        found.setdefault(name, []).append((tone, " ".join(re.sub("<[^>]+>", "", words).split())))
    return found


async def test_cost_is_added_up_and_what_is_not_known_is_said(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    set_provider(hub, "sms.aliyun", price="0.045")
    set_provider(hub, "wechat.template", price="0")
    page = await read_page(base, warnings["pending"])
    rows = {
        re.sub("<[^>]+>", "", name): [
            re.sub("<[^>]+>", "", cell).replace(",", "") for cell in re.findall(r"<td[^>]*>(.*?)</td>", rest)
        ]
        for name, rest in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page, re.S)
    }
    people, parts, price, cost, _ = rows["SMS"]
    assert int(parts) >= int(people) > 0
    assert price == "0.045 CNY"
    assert Decimal(cost.split()[0]) == Decimal(int(parts)) * Decimal("0.045") or cost.split()[0].startswith("≥")
    assert rows["Loudspeaker"][2:4] == ["not set", "–"]
    assert "≥" in rows["Total"][3], "what is not known is not nothing"
    assert "元" in await read_page(base, warnings["pending"], "zh")


async def test_a_quota_that_is_too_small_is_said_in_numbers(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    set_provider(hub, "wechat.template", daily=10)
    found = find_checks(await read_page(base, warnings["pending"]))["Quotas"]
    assert [tone for tone, _ in found] == ["bad"]
    used, need, short = (
        int(one.replace(",", ""))
        for one in re.findall(r"at most ([\d,]+) used today, ([\d,]+) needed: ([\d,]+) too", found[0][1])[0]
    )
    assert used > 10, "the red warning of this afternoon is counted"
    assert short == need
    set_provider(hub, "wechat.template", daily=1_000_000)
    assert find_checks(await read_page(base, warnings["pending"]))["Quotas"][0][0] == "good"


async def test_a_desk_with_nobody_on_duty_is_named(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    assert "no roster" in find_checks(await read_page(base, warnings["pending"]))["Rosters"][0][1]
    async with hub.store.write() as tx:
        desk = await tx.conn.scalar(text("SELECT id FROM area WHERE level = 6"))
        person = await tx.conn.scalar(text("SELECT min(id) FROM recipient WHERE role = 'county_duty'"))
        await tx.conn.execute(
            text("INSERT INTO shift (area_id, recipient_id, rank, starts_at, ends_at) VALUES (:d, :p, 1, :a, :b)"),
            {"d": desk, "p": person, "a": NOW - 9 * HOUR, "b": NOW - HOUR},
        )
    tone, words = find_checks(await read_page(base, warnings["pending"]))["Rosters"][0]
    assert (tone, "nobody is on duty now" in words) == ("bad", True)
    async with hub.store.write() as tx:
        await tx.conn.execute(text("UPDATE shift SET ends_at = :b"), {"b": NOW + HOUR})
    tone, words = find_checks(await read_page(base, warnings["pending"]))["Rosters"][0]
    assert (tone, "while it is in force" in words) == ("warn", True)
    async with hub.store.write() as tx:
        await tx.conn.execute(text("UPDATE shift SET ends_at = :b"), {"b": NOW + 48 * HOUR})
    assert find_checks(await read_page(base, warnings["pending"]))["Rosters"][0][0] == "good"


class Narrow(Outbox):
    """A provider whose template has eight characters for the headline."""

    def crowded(self, words: Words) -> list[str]:
        """The headline, if it is longer."""
        return ["headline"] if len(words.fields.get("headline", "")) > 8 else []


async def test_a_template_without_room_is_said(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    assert find_checks(await read_page(base, warnings["pending"]))["Words"][0][0] == "good"
    set_provider(hub, "wechat.template", Narrow())
    page = await read_page(base, warnings["drill"])
    assert find_checks(page)["Words"] == [
        ("warn", "The template of wechat.template has no room for, or lacks: headline. It will be cut.")
    ]


async def test_a_slow_provider_is_said_before_the_release(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    for name in ("sms.aliyun", "sms.twilio"):
        set_provider(hub, name, rate=0.05)
    tone, words = find_checks(await read_page(base, warnings["pending"]))["Time"][0]
    assert tone == "bad"
    assert "expires before everybody is told" in words


async def test_the_page_shows_words_parts_map_and_counts(base: str, warnings: dict[str, str]) -> None:
    page = await read_page(base, warnings["pending"])
    for part in ('class="map extent"', 'class="previews"', "billed part", "Conflicts", "Channels", "Reach"):
        assert part in page, part
    counts = re.findall(r"SMS <b>([\d,]+)</b>", page)
    assert counts
    assert all(int(one.replace(",", "")) > 0 for one in counts)


async def test_what_it_takes_the_place_of_is_named(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    assert "takes the place of" not in await read_page(base, warnings["pending"])
    await hub.desk.release(warnings["pending"], "user:zhao")
    async with hub.store.write() as tx:
        await tx.conn.execute(
            text("UPDATE warning SET hazard = (SELECT hazard FROM warning WHERE uid = :p), agency_id = 'land' WHERE uid = :l"),
            {"p": warnings["pending"], "l": warnings["living"]},
        )
    page = await read_page(base, warnings["pending"])
    assert "It takes the place of" in page
    assert find_checks(page)["Conflicts"][0][0] == "good"


@pytest.mark.parametrize("provider", ["wechat.template", "sms.aliyun"])
def test_adapters_say_what_their_templates_cut(provider: str) -> None:
    from warnhub_sms.groups import OWN
    from warnhub_wechat.fields import crowded

    words = Words(
        "text",
        fields={"headline": "云岭县气象台发布暴雨红色预警信号请立即转移避险", "level": "红色", "time": "6月12日16时20分"},
    )
    if provider == "wechat.template":
        fields = {"thing1": "headline", "phrase2": "level", "time3": "time", "thing4": "area"}
        assert crowded(fields, words) == ["headline", "area"]
        assert crowded({"keyword1": "headline"}, words) == []
    else:
        assert "link_code" not in OWN
        assert "headline" in OWN
