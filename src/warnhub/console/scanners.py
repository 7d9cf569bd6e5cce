"""Who opens links without being asked to: previews of chat programs, safety scanners, crawlers, scripts.

The table only ever takes a confirmation away. A scanner that calls itself a telephone is not in it, which is why a
confirmation also takes a page that was looked at and a choice that is not made beforehand.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

AGENTS = (
    # previews of chat programs and networks
    "facebookexternalhit", "facebot", "whatsapp", "telegrambot", "slackbot", "slack-imgproxy", "twitterbot", "linkedinbot",
    "discordbot", "skypeuripreview", "viber", "line-poker", "redditbot", "embedly", "iframely", "pinterest",
    # search engines and their renderers
    "googlebot", "google-pagerenderer", "google-inspectiontool", "google-read-aloud", "googleother", "google-safety",
    "feedfetcher", "bingbot", "bingpreview", "baiduspider", "360spider", "sogou web spider", "yisouspider", "bytespider",
    "petalbot", "yandexbot", "applebot", "duckduckbot", "semrushbot", "ahrefsbot", "ccbot", "gptbot",
    # safety scanners
    "barracuda", "mimecast", "proofpoint", "symantec", "trendmicro", "fortinet", "zscaler", "virustotal", "urlscan",
    "safebrowsing", "bitdefender", "checkmarx", "nessus", "nikto", "zgrab", "masscan", "censys",
    # browsers without anybody in front of them, and programs
    "headlesschrome", "phantomjs", "puppeteer", "playwright", "selenium", "chrome-lighthouse", "electron/",
    "curl/", "wget/", "python-requests", "python-urllib", "python-httpx", "aiohttp", "go-http-client", "java/", "okhttp",
    "apache-httpclient", "libwww-perl", "ruby", "node-fetch", "axios", "postmanruntime", "uptimerobot", "pingdom",
)  # fmt: skip
# Cubot makes telephones.
GENERIC = re.compile(r"(?<!cu)bot\b|\bspider\b|crawler|crawling|\bpreview|\bscanner|monitoring")
AHEAD = {"purpose": "prefetch", "sec-purpose": "prefetch", "x-moz": "prefetch", "x-purpose": "preview"}


@lru_cache(maxsize=4_096)
def is_machine(agent: str) -> bool:
    """Whether a `User-Agent` says that nobody is looking; every browser has one, so none at all says so too."""
    said = agent.lower().strip()
    return not said or any(name in said for name in AGENTS) or GENERIC.search(said) is not None


def looks_ahead(headers: Mapping[str, str]) -> bool:
    """Whether a browser fetches this before anybody asked for it."""
    return any(word in headers.get(name, "").lower() for name, word in AHEAD.items())
