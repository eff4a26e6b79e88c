"""What user agents say: device, browser, system, and whether a bot is behind them."""

from __future__ import annotations

import random
import re

import pytest
from crawlerdetect import CrawlerDetect, providers  # type: ignore[import-untyped]  # ships no type information

from ingest.agents import AGENT_MAX_CHARS, NOTHING, Agent, Agents, crawler_search

AGENTS = Agents()

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 "
    "Safari/605.1.15"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 "
    "Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 "
    "Mobile/15E148 Safari/604.1"
)
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile "
    "Safari/537.36"
)
TABLET = (
    "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)
TV = "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/6.0 TV Safari/538.1"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.mark.parametrize(
    ("user_agent", "device", "browser", "os"),
    [
        (WINDOWS, "desktop", "Chrome", "Windows"),
        (MAC, "desktop", "Safari", "Mac OS X"),
        (FIREFOX, "desktop", "Firefox", "Linux"),
        (IPHONE, "mobile", "Mobile Safari", "iOS"),
        (PHONE, "mobile", "Chrome Mobile", "Android"),
        (IPAD, "tablet", "Mobile Safari", "iOS"),
        (TABLET, "tablet", "Chrome", "Android"),
        (TV, "tv", "Safari", "Tizen"),
    ],
)
def test_people_have_a_device_a_browser_and_a_system(user_agent: str, device: str, browser: str, os: str) -> None:
    assert AGENTS.of_event(user_agent) == Agent(device, browser, os, is_bot=False)
    assert AGENTS.of_request(user_agent) == AGENTS.of_event(user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        GOOGLEBOT,
        HEADLESS,
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
        f"{WINDOWS} Chrome-Lighthouse",
    ],
)
def test_bots_are_flagged_by_either_agent(user_agent: str) -> None:
    assert AGENTS.of_event(user_agent).is_bot
    assert AGENTS.of_request(user_agent).is_bot


@pytest.mark.parametrize(
    "user_agent",
    [
        "curl/8.5.0",
        "python-requests/2.32.3",
        "analytics-python/2.4.0",
        "Go-http-client/1.1",
        "okhttp/4.12.0",
        "axios/1.7",
    ],
)
def test_the_library_of_a_server_says_nothing_of_its_visitors(user_agent: str) -> None:
    assert AGENTS.of_request(user_agent) is NOTHING


def test_a_library_that_a_visitor_itself_uses_is_a_bot() -> None:
    assert AGENTS.of_event("curl/8.5.0").is_bot


def test_a_crawler_is_what_crawlerdetect_says_it_is() -> None:
    ours, theirs = crawler_search(providers.crawlers.data, providers.exclusions.data), CrawlerDetect()
    seeded = random.Random(7)
    names = [re.sub(r"[\\^$?*+()\[\]|{}]", "", pattern) for pattern in providers.crawlers.data]
    words = [*WINDOWS.split(), *IPHONE.split(), *TABLET.split(), "YandexSearch", "curl/8", "+http://a.example/"]
    agents = [*names, WINDOWS, MAC, IPHONE, IPAD, PHONE, TABLET, TV, FIREFOX, GOOGLEBOT, "", " "]
    agents += [" ".join(seeded.choices([*words, seeded.choice(names)], k=5)) for _ in range(2000)]
    assert [agent for agent in agents if ours(agent) != theirs.is_crawler(agent)] == []
    assert len({ours(agent) for agent in agents}) == 2


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Android Mobile", "mobile"),
        ("Mobile Android", "tablet"),
        ("Silk/1 Mobile Safari", "mobile"),
        ("Silk/1 Safari", "tablet"),
        ("Android Mobile Android", "tablet"),
    ],
)
def test_a_tablet_says_nothing_of_mobile_behind_its_system(user_agent: str, device: str) -> None:
    assert AGENTS.of_event(user_agent).device == device


@pytest.mark.parametrize("user_agent", ["", "\x00\xff", "x" * 100_000, "(" * 5_000, "Mozilla/5.0 " * 5_000])
def test_nonsense_is_read_in_bounded_time_and_says_nothing_wrong(user_agent: str) -> None:
    assert not AGENTS.of_event(user_agent).browser
    assert AGENTS.of_event(user_agent) == AGENTS.of_event(user_agent[:AGENT_MAX_CHARS])
