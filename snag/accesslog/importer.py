"""An access log turned into events, with the counts a person checks the import by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson
from crawlerdetect import CrawlerDetect  # type: ignore[import-untyped]  # ships no type information

from snag.accesslog.event import EventIds, event_of, kind_of
from snag.accesslog.request import LineError, parse_request
from snag.accesslog.visitors import visitor_id

UNPARSABLE_KEPT: Final = 20  # line numbers shown; the count goes on

_AGENTS_CACHED: Final = 65_536


@dataclass
class Summary:
    """What the log held. `unparsable` keeps the first few as (line number, reason)."""

    lines: int = 0
    page_views: int = 0
    errors: Counter[int] = field(default_factory=Counter)
    other_requests: int = 0
    visitors: set[str] = field(default_factory=set)
    bots: set[str] = field(default_factory=set)
    bot_requests: int = 0
    unparsable_lines: int = 0
    unparsable: list[tuple[int, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The counts, as `--json` prints them."""
        return {
            "lines": self.lines,
            "page_views": self.page_views,
            "errors": sum(self.errors.values()),
            "errors_by_status": {str(status): n for status, n in sorted(self.errors.items())},
            "other_requests": self.other_requests,
            "visitors": len(self.visitors),
            "bots": len(self.bots),
            "bot_requests": self.bot_requests,
            "unparsable_lines": self.unparsable_lines,
            "unparsable": [{"line": number, "reason": reason} for number, reason in self.unparsable],
        }


def bot_detector() -> Callable[[str], bool]:
    """Tells crawlers by their user agent. Cached: a log has few agents, and one look costs 70 us."""
    detector = CrawlerDetect()

    @lru_cache(maxsize=_AGENTS_CACHED)
    def is_bot(user_agent: str) -> bool:
        return bool(detector.is_crawler(user_agent)) if user_agent else False

    return is_bot


def read_events(
    lines: Iterable[tuple[int, bytes]], summary: Summary, *, key: bytes, is_bot: Callable[[str], bool]
) -> Iterator[bytes]:
    """The encoded event of each request among the numbered `lines`; `summary` is brought up to date on the way."""
    ids = EventIds()
    for number, line in lines:
        summary.lines += 1
        try:
            request = parse_request(line)
        except LineError as error:
            summary.unparsable_lines += 1
            if len(summary.unparsable) < UNPARSABLE_KEPT:
                summary.unparsable.append((number, str(error)))
            continue
        kind = kind_of(request)
        visitor = visitor_id(request, key)
        bot = is_bot(request.user_agent)
        summary.visitors.add(visitor)
        if bot:
            summary.bots.add(visitor)
            summary.bot_requests += 1
        if kind == "page_view":
            summary.page_views += 1
        elif kind == "http_error":
            summary.errors[request.status] += 1
        else:
            summary.other_requests += 1
        yield orjson.dumps(event_of(request, kind, visitor, is_bot=bot, event_id=ids.next(request, visitor)))
