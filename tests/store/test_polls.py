"""Polled sources, on a real server: what is new comes in once, what is missing means nothing, and nobody leads us anywhere."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from door import Door, open_door
from town import Hand

from warnhub.config import ConfigError, Source, load_settings
from warnhub.crypto import make_key
from warnhub.inlet.entries import NotAFeed, read_entries
from warnhub.inlet.fetch import Fetcher, FetchError, may_reach
from warnhub.inlet.polls import Poller
from warnhub.store.sources import ATTEMPTS

CAP = (
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{id}</identifier><sender>met.example</sender>'
    "<sent>{sent}</sent><status>Actual</status><msgType>{kind}</msgType><scope>Public</scope>{head}"
    "<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency>"
    "<severity>Severe</severity><certainty>Likely</certainty><expires>{expires}</expires><headline>暴雨橙色预警</headline>"
    "<area><areaDesc>云溪镇</areaDesc><geocode><valueName>cn</valueName><value>990123100</value></geocode></area></info></alert>"
)


def cap(id: str, kind: str = "Alert", head: str = "", life: float = 6, now: float = 1_781_252_400) -> str:
    """A CAP alert of the weather office, sent now."""
    sent = datetime.fromtimestamp(now, UTC)
    times = {"sent": sent.isoformat(), "expires": (sent + timedelta(hours=life)).isoformat()}
    return CAP.format(id=id, kind=kind, head=head, **times)


def atom(*links: str, inside: str = "") -> str:
    """A feed with these links, and alerts inside."""
    updated = "<updated>2026-06-12T00:00:00Z</updated>"
    entries = "".join(f'<entry><id>{one}</id>{updated}<link rel="alternate" href="{one}"/></entry>' for one in links)
    inner = f'<entry><id>in</id><content type="text/xml">{inside}</content></entry>' if inside else ""
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entries}{inner}</feed>'


@dataclass
class Site:
    """A small web server. `pages` are path → (status, headers, body); `asked` is what was asked for, with its headers."""

    port: int = 0
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    calls: set["asyncio.Task[Any]"] = field(default_factory=set)

    def put(self, path: str, body: str | bytes = "", status: int = 200, **headers: str) -> str:
        """Serve it; gives its address."""
        data = body.encode() if isinstance(body, str) else body
        self.pages[path] = (status, {key.replace("_", "-"): value for key, value in headers.items()}, data)
        return self.at(path)

    def at(self, path: str, host: str = "feed.example") -> str:
        """The address of a path."""
        return f"http://{host}:{self.port}{path}"

    def times(self, path: str) -> int:
        """How often it was asked for."""
        return sum(one == path for one, _ in self.asked)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        call = asyncio.current_task()
        assert call
        self.calls.add(call)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            path = head[0].split(" ")[1]
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            self.asked.append((path, headers))
            status, given, body = self.pages.get(path, (404, {}, b"nothing here"))
            if given.get("etag") and headers.get("if-none-match") == given["etag"]:
                status, body = 304, b""
            if path == "/slow":
                await asyncio.sleep(5)
            lines = {"content-length": str(len(body)), "connection": "close"} | given
            text = "".join(f"{key}: {value}\r\n" for key, value in lines.items() if value)
            writer.write(f"HTTP/1.1 {status} X\r\n{text}\r\n".encode() + body)
            await writer.drain()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server on this machine."""
    made = Site()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
        for call in made.calls:
            call.cancel()
        await asyncio.gather(*made.calls, return_exceptions=True)


def names(**hosts: str) -> Callable[[str, int], Any]:
    """A resolver of these names: dots are written as underscores."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        found = hosts.get(host.replace(".", "_").replace("-", "_"))
        if found is None:
            raise OSError("no such name")
        return found.split()

    return resolve


HOME = names(feed_example="127.0.0.1", mirror_example="127.0.0.1", inner_example="127.0.0.2", meta_example="169.254.169.254")


@contextlib.asynccontextmanager
async def polling(url: str, hand: Hand, site: Site, *paths: str, **given: Any) -> AsyncIterator[tuple[Door, Poller]]:
    """A county with one source, `met`, that speaks for the weather office."""
    source = {"agency": "rain", "urls": [site.at(path) for path in paths], "networks": ["127.0.0.1/32"], "timeout": 2} | given
    async with open_door(url, hand, sources={"met": source}) as door:
        await door.hub.poller.fetcher.close()
        poller = Poller(door.hub.store, door.hub.desk, "node-1", Fetcher(HOME))
        door.hub.poller = poller
        yield door, poller


async def entries(door: Door) -> list[tuple[str, int]]:
    """What became of the entries."""
    return [(row.state, row.attempts) for row in await door.rows("SELECT state, attempts FROM polled ORDER BY id")]


async def alerts(door: Door) -> list[tuple[str, str]]:
    """What is on the desk."""
    return [(row.identifier, row.state) for row in await door.rows("SELECT identifier, state FROM alert ORDER BY id")]


async def test_what_is_new_comes_in_once(url: str, hand: Hand, site: Site) -> None:
    link = site.put("/a.xml", cap("a-1"), content_type="application/cap+xml")
    site.put(
        "/feed",
        atom(link, inside=cap("a-2").replace("暴雨", "大风")),
        etag='"one"',
        last_modified="Fri, 12 Jun 2026 00:00:00 GMT",
    )
    async with polling(url, hand, site, "/feed") as (door, poller):
        assert await poller.poll("met")
        assert sorted(await alerts(door)) == [("a-1", "released"), ("a-2", "released")]
        row = (await door.rows("SELECT agency_id, media FROM alert WHERE identifier = 'a-1'"))[0]
        assert (row.agency_id, row.media) == ("rain", "application/cap+xml")
        for _ in range(2):
            assert await poller.poll("met")
        assert (site.times("/a.xml"), site.times("/feed")) == (1, 3)
        assert site.asked[-1][1]["if-none-match"] == '"one"'
        assert site.asked[-1][1]["if-modified-since"].startswith("fri")
        site.put("/feed", atom(link, site.put("/b.xml", cap("a-3").replace("暴雨", "寒潮"))), etag='"two"')
        await poller.poll("met")
        assert [one for one, _ in await alerts(door)][-1] == "a-3"
        assert site.times("/a.xml") == 1
        assert await entries(door) == [("taken", 1)] * 3


async def test_nothing_that_is_missing_is_an_all_clear(url: str, hand: Hand, site: Site) -> None:
    site.put("/feed", atom(inside=cap("a-1")), etag='"one"')
    async with polling(url, hand, site, "/feed") as (door, poller):
        await poller.poll("met")
        for page in (
            (200, atom()),  # vanished
            (200, "<html><body>Please log in</body></html>"),
            (200, '{"title": "Unexpected Problem", "status": 500}'),
            (200, ""),
            (500, "broken"),
            (200, '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><feed>&e;</feed>'),
        ):
            site.put("/feed", page[1], page[0])
            await poller.poll("met")
        site.pages.clear()
        await poller.poll("met")
        warnings = await door.rows("SELECT state FROM warning")
        assert [row.state for row in warnings] == ["released"]
        mirror = (await door.rows("SELECT failures, error, good_at FROM mirror"))[0]
        assert (mirror.failures, mirror.error) == (6, "HTTP_STATUS: 404")
        await poller.look()
        assert "met" in poller.notices[0]
        metrics = (await door.http.get("/metrics")).text
        assert 'warnhub_source_failures{mirror="0",source="met"} 6.0' in metrics
        sent = datetime.fromtimestamp(1_781_252_400, UTC).isoformat()
        over = cap("a-2", "Cancel", f"<references>met.example,a-1,{sent}</references>")
        site.put("/feed", atom(inside=over))
        await poller.poll("met")
        states = await door.rows("SELECT state, kind FROM warning ORDER BY id")
        assert [(row.state, row.kind) for row in states] == [("cancelled", "alert"), ("released", "cancel")]
        await poller.look()
        assert poller.notices == []


async def test_a_tag_is_kept_only_with_what_it_stands_for(url: str, hand: Hand, site: Site) -> None:
    site.put("/feed", "<html/>", etag='"bad"')
    async with polling(url, hand, site, "/feed") as (door, poller):
        await poller.poll("met")
        site.put("/feed", atom(inside=cap("a-1")), etag='"bad"')
        await poller.poll("met")
        assert await alerts(door) == [("a-1", "released")]


async def test_two_mirrors_are_one_source(url: str, hand: Hand, site: Site) -> None:
    site.put("/one", atom(inside=cap("a-1")))
    site.put("/two", atom(inside=cap("a-1") + cap("a-2")))
    async with polling(url, hand, site, "/one", "/two") as (door, poller):
        await poller.poll("met")
        site.put("/one", "gone", 503)
        site.put("/two", atom(inside=cap("a-3")))
        await poller.poll("met")
        assert [one for one, _ in await alerts(door)] == ["a-1", "a-2", "a-3"]
        await poller.look()
        assert poller.notices == []  # one of them answers


async def test_the_same_answers_as_at_the_door(url: str, hand: Hand, site: Site) -> None:
    async with polling(url, hand, site, "/feed", elsewhere="hold") as (door, poller):
        foreign = cap("b-1").replace("990123100", "990999")
        bad = cap("b-2").replace("<status>Actual", "<status>Real")
        site.put("/feed", atom(inside=foreign + bad + cap("b-3")))
        await poller.poll("met")
        assert await alerts(door) == [("b-1", "held"), ("b-3", "released")]
        assert sorted(await entries(door)) == [("parked", 1), ("taken", 1), ("taken", 1)]
        problem = (await door.rows("SELECT problem FROM polled WHERE state = 'parked'"))[0].problem
        assert "INVALID_VALUE" in str(problem)
        assert "Real" in str(problem)
        for _ in range(3):
            hand.pass_by(3_600_000)
            await poller.poll("met")
        assert sorted(await entries(door)) == [("parked", 1), ("taken", 1), ("taken", 1)]  # and never as done
        await poller.look()
        assert "warnhub source list" in poller.notices[0]
        assert 'warnhub_source_parked{source="met"} 1.0' in (await door.http.get("/metrics")).text


async def test_a_feed_of_the_whole_country_does_not_fill_the_desk(url: str, hand: Hand, site: Site) -> None:
    """What surely concerns other counties alone is on the record and not on the desk, and so is what ends it."""
    sent = datetime.fromtimestamp(1_781_252_400, UTC).isoformat()
    refers = f"<references>met.example,{{}},{sent}</references>"
    foreign = cap("b-1").replace("990123100", "990999100")
    drawn = "<polygon>40.1,100.1 40.1,100.2 40.2,100.2 40.1,100.1</polygon>"
    mapped = re.sub("<geocode>.*?</geocode>", drawn, cap("b-2"))
    code = re.sub("<geocode>.*</geocode>", "<geocode><valueName>SAME</valueName><value>099</value></geocode>", cap("b-3"))
    broken = re.sub("<geocode>.*?</geocode>", drawn[:40] + "</polygon>", cap("b-4"))
    nation = cap("b-5").replace("990123100", "000000")
    async with polling(url, hand, site, "/feed") as (door, poller):
        site.put("/feed", atom(inside=foreign + mapped + code + broken + nation + cap("a-1")))
        await poller.poll("met")
        held = [("b-3", "held"), ("b-4", "held"), ("b-5", "held")]
        assert sorted(await alerts(door)) == [("a-1", "released"), *held]
        seen = await door.rows("SELECT identifier, source, kind, place, headline FROM elsewhere ORDER BY identifier")
        assert [(row.identifier, row.source, row.kind) for row in seen] == [("b-1", "met", "alert"), ("b-2", "met", "alert")]
        assert seen[0].headline == "暴雨橙色预警"
        assert sorted(state for state, _ in await entries(door)) == ["elsewhere"] * 2 + ["taken"] * 4
        nowhere = re.sub("<info>.*</info>", "", cap("b-6", "Cancel", refers.format("b-1")))
        over = cap("a-2", "Cancel", refers.format("a-1")).replace("990123100", "990999100")
        follows = cap("b-7", "Update", refers.format("b-2"))
        site.put("/feed", atom(inside=nowhere + over + follows))
        await poller.poll("met")
        known = dict(await alerts(door))
        assert "b-6" not in known
        assert known["a-2"] == "released"  # it ends what people here were told, wherever it says that is
        assert known["b-7"] == "released"  # it comes here now, and what it follows was seen
        notes = (await door.rows("SELECT problems FROM alert WHERE identifier = 'b-7'"))[0].problems
        assert "SEEN_ELSEWHERE" in str(notes)
        assert 'warnhub_alerts_total{agency="rain",state="elsewhere"}' in (await door.http.get("/metrics")).text
        hand.pass_by(30 * 86_400_000)
        site.put("/feed", atom())
        await poller.poll("met")
        assert await door.rows("SELECT 1 FROM elsewhere") == []


async def test_what_has_expired_asks_nobody(url: str, hand: Hand, site: Site) -> None:
    async with polling(url, hand, site, "/feed") as (door, poller):
        site.put("/feed", atom(inside=cap("a-1", life=1)))
        hand.pass_by(7_200_000)
        await poller.poll("met")
        assert await alerts(door) == []
        assert await entries(door) == [("over", 1)]


async def test_a_link_that_fails_is_tried_a_few_times_and_parked(url: str, hand: Hand, site: Site) -> None:
    site.put("/feed", atom(site.put("/a.xml", "later", 503)))
    async with polling(url, hand, site, "/feed") as (door, poller):
        for _ in range(ATTEMPTS + 3):
            await poller.poll("met")
            hand.pass_by(3_600_000)
        assert site.times("/a.xml") == ATTEMPTS
        assert await entries(door) == [("parked", ATTEMPTS)]
        assert "HTTP_STATUS" in str((await door.rows("SELECT problem FROM polled"))[0].problem)


async def test_a_link_that_fails_once_is_not_lost(url: str, hand: Hand, site: Site) -> None:
    site.put("/feed", atom(site.put("/a.xml", "later", 503)), etag='"same"')
    async with polling(url, hand, site, "/feed") as (door, poller):
        await poller.poll("met")
        site.put("/a.xml", cap("a-1"))
        await poller.poll("met")
        assert await alerts(door) == []  # not yet due
        hand.pass_by(61_000)
        await poller.poll("met")
        assert await alerts(door) == [("a-1", "released")]


async def test_one_that_kills_us_is_not_tried_for_ever(url: str, hand: Hand, site: Site) -> None:
    site.put("/feed", atom(inside=cap("a-1")))

    async with polling(url, hand, site, "/feed") as (door, poller):
        places, poller.desk.places = poller.desk.places, None  # type: ignore[assignment]
        for _ in range(ATTEMPTS):
            with pytest.raises(AttributeError):
                await poller.poll("met")
            hand.pass_by(3_600_000)
        poller.desk.places = places
        await poller.poll("met")
        assert await entries(door) == [("parked", ATTEMPTS)]
        assert await alerts(door) == []


async def test_one_node_polls_at_a_time(url: str, hand: Hand, site: Site) -> None:
    site.put("/feed", atom())
    async with polling(url, hand, site, "/feed") as (door, poller):
        other = Poller(door.hub.store, door.hub.desk, "node-2", Fetcher(HOME))
        assert await poller.poll("met")
        assert not await other.poll("met")
        assert await poller.poll("met")
        hand.pass_by(120_000)  # its lease is over
        assert await other.poll("met")
        assert not await poller.poll("met")
        await other.fetcher.close()


async def test_a_document_of_many_is_taken_one_by_one(url: str, hand: Hand, site: Site) -> None:
    bad = cap("a-2").replace("Actual", "Real")
    site.put("/doc", f"<rss><channel><item>{cap('a-1')}</item><item>{bad}</item></channel></rss>")
    async with polling(url, hand, site, "/doc", kind="document") as (door, poller):
        await poller.poll("met")
        await poller.poll("met")
        assert await alerts(door) == [("a-1", "released")]
        assert await entries(door) == [("parked", 1)]


# ---------------------------------------------------------------- nobody leads us anywhere


@pytest.mark.parametrize(
    ("link", "rule"),
    [
        ("http://evil.example/a.xml", "HOST_NOT_ALLOWED"),
        ("http://inner.example:{port}/a.xml", "ADDRESS_NOT_PUBLIC"),
        ("http://meta.example/latest", "ADDRESS_NOT_PUBLIC"),
        ("http://127.0.0.1:{port}/a.xml", "HOST_NOT_ALLOWED"),
        ("http://user:pw@feed.example:{port}/a.xml", "URL_NOT_TAKEN"),
        ("file:///etc/passwd", "URL_NOT_TAKEN"),
        ("ftp://feed.example/a", "URL_NOT_TAKEN"),
        ("http://feed.example:{port}/to-inner", "ADDRESS_NOT_PUBLIC"),
        ("http://feed.example:{port}/to-evil", "HOST_NOT_ALLOWED"),
        ("http://feed.example:{port}/round", "TOO_MANY_REDIRECTS"),
        ("http://feed.example:{port}/large", "TOO_LARGE"),
        ("http://feed.example:{port}/endless", "TOO_LARGE"),
        ("http://feed.example:{port}/packed", "ENCODING_NOT_TAKEN"),
        ("http://feed.example:{port}/slow", "TIMEOUT"),
        ("http://mirror.example:{port}/lost", "HTTP_STATUS"),
        ("http://none.example/a", "UNREACHABLE"),
    ],
)
async def test_what_is_not_fetched(site: Site, link: str, rule: str) -> None:
    site.put("/a.xml", cap("inner"))
    site.put("/to-inner", "", 302, location=site.at("/a.xml", "inner.example"))
    site.put("/to-evil", "", 301, location="//evil.example/a")
    site.put("/round", "", 307, location="/round")
    site.put("/large", b"x" * 2_000)
    site.put("/endless", b"x" * 2_000, content_length="")
    site.put("/packed", b"\x1f\x8b", content_encoding="gzip")
    site.put("/slow", "late")
    hosts = ["mirror.example", "inner.example", "meta.example", "none.example"]
    source = Source(
        agency="rain", urls=[site.at("/feed")], hosts=hosts, networks=["127.0.0.1/32"], timeout=0.5, max_bytes=1_000
    )
    fetcher = Fetcher(HOME)
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(link.format(port=site.port), source)
    assert caught.value.rule == rule
    assert site.times("/a.xml") == 0
    await fetcher.close()


async def test_a_redirect_within_the_rules_is_followed(site: Site) -> None:
    site.put("/old", "", 302, location=site.at("/new", "mirror.example"))
    site.put("/new", "here")
    source = Source(agency="rain", urls=[site.at("/old")], hosts=["mirror.example"], networks=["127.0.0.1/32"])
    fetcher = Fetcher(HOME)
    found = await fetcher.fetch(site.at("/old"), source)
    assert (found.body, found.url) == (b"here", site.at("/new", "mirror.example"))
    assert site.asked[-1][1]["host"] == f"mirror.example:{site.port}"
    await fetcher.close()


async def test_a_name_with_one_bad_address_is_not_asked(site: Site) -> None:
    source = Source(agency="rain", urls=["http://two.example/feed"])
    fetcher = Fetcher(names(two_example="8.8.8.8 10.0.0.1"))
    with pytest.raises(FetchError, match="ADDRESS_NOT_PUBLIC"):
        await fetcher.fetch("http://two.example/feed", source)
    await fetcher.close()


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("10.1.2.3", True),
        ("10.2.2.3", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.1.2.3", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_may_be_reached(address: str, reachable: bool) -> None:
    assert may_reach(address, ["10.1.0.0/16"]) is reachable


@pytest.mark.parametrize(
    "given",
    [
        {"urls": ["ftp://a.example"]},
        {"urls": ["http://u:p@a.example"]},
        {"urls": []},
        {"networks": ["10.0.0.1/8"]},
        {"kind": "x"},
        {"every": 1},
    ],
)
def test_a_source_that_cannot_be_is_refused_whole(given: dict[str, Any]) -> None:
    source = {"agency": "rain", "urls": ["https://a.example/feed"]} | given
    with pytest.raises(ConfigError, match=r"sources\.met"):
        load_settings(secret_key=make_key(), sources={"met": source})


def test_links_of_every_kind_of_feed() -> None:
    rss = (
        "<rss><channel><item><link>/a.xml</link><guid>g</guid></item>"
        '<item><link>http://x/html</link><enclosure url="b.xml" type="application/cap+xml"/></item><item/></channel></rss>'
    )
    assert [one.link for one in read_entries(rss.encode(), "https://f.example/dir/feed")] == [
        "https://f.example/a.xml",
        "https://f.example/dir/b.xml",
    ]
    two = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link rel="self" href="s"/><link href="a"/></entry></feed>'
    assert [one.link for one in read_entries(two.encode(), "https://f.example/")] == ["https://f.example/a"]
    first, second = (read_entries(atom("http://a/x").replace("06-12T00", at).encode(), "") for at in ("06-12T01", "06-12T02"))
    assert first[0].key == second[0].key
    assert first[0].mark != second[0].mark
    with pytest.raises(NotAFeed, match="html"):
        read_entries(b"<html/>", "")
