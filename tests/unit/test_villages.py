"""How far a warning came, village by village: on its page below a township, and for the township itself."""

from gatehouse import TOWN, VILLAGE, Gatehouse
from test_holds import Officer

from warnhub.store.tallies import read_villages


async def test_a_township_leads_to_its_villages(house: Gatehouse) -> None:
    uid = (await house.say("a-1"))["warning"]
    await house.told(uid)
    places = house.hub.places
    town, village = places.by_code[TOWN], places.by_code[VILLAGE]
    async with house.hub.store.read() as conn:
        number = (await house.rows("SELECT id FROM warning"))[0].id
        people = sum(count.n for count in await read_villages(conn, number, [village]))
    assert people
    zhang = await Officer(house, "zhang").enter()
    page = (await zhang.look(f"/warnings/{uid}")).text
    assert f'href="?place={town}#villages"' in page
    assert 'id="villages"' not in page
    below = (await house.http.get(f"/console/warnings/{uid}", params={"lang": "en", "place": town})).text
    card = below[below.index('id="villages"') :]
    card = card[: card.index("</section>")]
    assert f'href="?village={village}#asked"' in card
    assert f'<td class="n">{people}</td>' in card
