"""User agents: which device, browser and system a visitor has, and whether it is a bot. Flagged, never dropped.

One request may bring thousands of agents that nobody has seen before. So all searches are RE2's, whose time grows with
the text only: tried one after the other, crawlerdetect's 1,462 patterns took 20 ms for a text made for that.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import re2
from crawlerdetect import providers  # type: ignore[import-untyped]  # ships no type information
from ua_parser import Parser
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

AGENT_MAX_CHARS: Final = 512  # real ones stay below 500; the patterns' cost grows with the text
_REMEMBERED: Final = 10_000  # a busy site sees a few thousand a day; an entry takes about 1 kB

_Search = Callable[[str], object]


def _linear(patterns: str) -> _Search:
    """A search for `patterns`, in capitals or not, in a time that grows with the text only."""
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    search: _Search = re2.compile(patterns, options).search
    return search


_HEADLESS: Final = _linear(
    r"headless|phantomjs|slimerjs|electron/|puppeteer|playwright|selenium|webdriver|cypress|lighthouse|jsdom|prerender"
)
"""Automation that names itself and is no crawler to crawlerdetect, or not in every version."""

_SPEAKS_FOR_VISITOR: Final = re.compile(
    r"^(Mozilla|Opera)/|bot\b|crawl|spider|slurp|https?://|^facebook", re.IGNORECASE
)
"""What a browser or a crawler calls itself, unlike the HTTP library of a server that reports its visitors' events."""

# Android tablets leave out `Mobile` (Google, "User-Agent strings of tablets"); an iPad of today calls itself a Mac.
_TABLET: Final = _linear("iPad|Tablet|PlayBook|Kindle")
_TABLET_UNLESS_MOBILE: Final = ("android", "silk")
_MOBILE: Final = _linear("Mobi|iPhone|iPod|Opera Mini|IEMobile|Windows Phone|BlackBerry")
_TV: Final = _linear(r"SMART-?TV|\bTV\b|AppleTV|GoogleTV|HbbTV|Web0S|Roku|CrKey|BRAVIA|AFT[A-Z]")
_DESKTOP: Final = _linear("Windows NT|Macintosh|X11|CrOS|Linux")


@dataclass(frozen=True, slots=True)
class Agent:
    """What a user agent says; an empty string where it says nothing."""

    device: str = ""
    browser: str = ""
    os: str = ""
    is_bot: bool = False


NOTHING: Final = Agent()


class Agents:
    """Reads user agents, each different one once: a look costs up to a millisecond, a repeated one a look-up."""

    def __init__(self) -> None:
        parser = Parser(Resolver(load_lazy_builtins()))
        parser.parse("")  # compiles the patterns, 0.3 s: now rather than under the first visitor's request
        is_crawler = crawler_search(providers.crawlers.data, providers.exclusions.data)

        @functools.lru_cache(maxsize=_REMEMBERED)
        def read(user_agent: str) -> Agent:
            found = parser.parse(user_agent)
            is_bot = bool(_HEADLESS(user_agent)) or is_crawler(user_agent)
            return Agent(
                device=_device_class(user_agent),
                browser=found.user_agent.family if found.user_agent else "",
                os=found.os.family if found.os else "",
                is_bot=is_bot,
            )

        @functools.lru_cache(maxsize=_REMEMBERED)
        def read_request(user_agent: str) -> Agent:
            return read(user_agent[:AGENT_MAX_CHARS]) if _SPEAKS_FOR_VISITOR.search(user_agent) else NOTHING

        self._read = read
        self._read_request = read_request

    def of_event(self, user_agent: str) -> Agent:
        """What the visitor's own `user_agent` says, as a client passed it on with an event."""
        return self._read(user_agent[:AGENT_MAX_CHARS]) if user_agent else NOTHING

    def of_request(self, user_agent: str) -> Agent:
        """What the `User-Agent` of a request says of the visitor: nothing, if it is the one of a server's library."""
        return self._read_request(user_agent)


def _device_class(user_agent: str) -> str:
    """desktop, mobile, tablet or tv; empty if the agent shows none."""
    for search, name in ((_TV, "tv"), (_is_tablet, "tablet"), (_MOBILE, "mobile"), (_DESKTOP, "desktop")):
        if search(user_agent):
            return name
    return ""


def _is_tablet(user_agent: str) -> bool:
    if _TABLET(user_agent):
        return True
    lower = user_agent.lower()
    mobile = lower.rfind("mobile")
    return any(lower.rfind(name) > mobile for name in _TABLET_UNLESS_MOBILE)


def crawler_search(crawlers: Iterable[str], exclusions: Iterable[str]) -> Callable[[str], bool]:
    """Whether a user agent is a crawler's by the patterns of crawlerdetect, as its own class says it."""
    plain: list[str] = []
    looking: list[str] = []
    for pattern in crawlers:
        (looking if "(?" in pattern.replace("(?:", "") else plain).append(pattern)  # ahead or behind, as RE2 does not
    search = _linear("|".join(plain))
    excluded = re.compile("|".join(exclusions), re.IGNORECASE)
    others = re.compile("|".join(looking) or r"(?!)", re.IGNORECASE)

    def is_crawler(user_agent: str) -> bool:
        left = excluded.sub("", user_agent.strip())
        return bool(left) and bool(search(left) or others.search(left))

    return is_crawler
