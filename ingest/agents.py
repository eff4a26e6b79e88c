"""User agents: which device, browser and system a visitor has, and whether it is a bot. Flagged, never dropped."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from crawlerdetect import CrawlerDetect  # type: ignore[import-untyped]  # ships no type information
from ua_parser import Parser
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

AGENT_MAX_CHARS: Final = 1024  # real ones stay below 500; the patterns' cost grows with the text
_REMEMBERED: Final = 10_000  # a busy site sees a few thousand a day; an entry takes about 1 kB

_HEADLESS: Final = re.compile(
    r"headless|phantomjs|slimerjs|electron/|puppeteer|playwright|selenium|webdriver|cypress|lighthouse|jsdom|prerender",
    re.IGNORECASE,
)
"""Automation that names itself and is no crawler to crawlerdetect, or not in every version."""

_SPEAKS_FOR_VISITOR: Final = re.compile(
    r"^(Mozilla|Opera)/|bot\b|crawl|spider|slurp|https?://|^facebook", re.IGNORECASE
)
"""What a browser or a crawler calls itself, unlike the HTTP library of a server that reports its visitors' events."""

# Android tablets leave out `Mobile` (Google, "User-Agent strings of tablets"); an iPad of today calls itself a Mac.
_TABLET: Final = re.compile(r"iPad|Tablet|PlayBook|Silk(?!.*Mobile)|Kindle|Android(?!.*Mobile)", re.IGNORECASE)
_MOBILE: Final = re.compile(r"Mobi|iPhone|iPod|Opera Mini|IEMobile|Windows Phone|BlackBerry", re.IGNORECASE)
_TV: Final = re.compile(r"SMART-?TV|\bTV\b|AppleTV|GoogleTV|HbbTV|Web0S|Roku|CrKey|BRAVIA|AFT[A-Z]", re.IGNORECASE)
_DESKTOP: Final = re.compile(r"Windows NT|Macintosh|X11|CrOS|Linux", re.IGNORECASE)


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
        detector = CrawlerDetect()

        @functools.lru_cache(maxsize=_REMEMBERED)
        def read(user_agent: str) -> Agent:
            found = parser.parse(user_agent)
            is_bot = bool(_HEADLESS.search(user_agent) or detector.is_crawler(user_agent))
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
    for pattern, name in ((_TV, "tv"), (_TABLET, "tablet"), (_MOBILE, "mobile"), (_DESKTOP, "desktop")):
        if pattern.search(user_agent):
            return name
    return ""
