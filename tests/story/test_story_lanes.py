"""A red warning that comes while a blue one goes out by a slow provider does not wait for it."""

from townhall import TOWNS, Heard, Opener, Town, make_alert, texts_of

SLOW = {"wechat.template": {"rate": 60, "parallel": 40}}


def by_wechat(town: Town, colour: str) -> list[Heard]:
    """What followers were sent of a warning, in order."""
    said = [heard for heard in town.watchman.messages() if heard.carrier == "wechat"]
    return texts_of(said, colour)


async def test_red_overtakes_blue(visit: Opener) -> None:
    """From red's first message to its last little of blue passes; then blue goes on to its end."""
    async with visit(providers=SLOW) as town:
        blue = await town.release(make_alert("l-1", level="blue", hazard="11B09"))

        async def begun() -> bool:
            return len(town.watchman.taken["wechat"]) >= 20

        await town.until(begun, "blue has begun")
        red = await town.release(make_alert("l-2", areas=(TOWNS[0],)))
        await town.settle(red)
        urgent, calm = by_wechat(town, "红色|Red"), by_wechat(town, "蓝色|Blue")
        between = [heard for heard in calm if urgent[0].at <= heard.at <= urgent[-1].at]
        assert len(urgent) > 50
        assert len(between) < len(urgent) / 4, "what blue has in hand may use what red leaves"
        found = await town.settle(blue, seconds=30)
        after = len(by_wechat(town, "蓝色|Blue")) - len(calm)
        assert after > 50, "most of blue was still to go"
        assert found.states["delivered"] == found.planned
