"""What a logged request means: a page view, an error, or a request that only shows the visitor was there.

- status >= 400: `http_error`, with `props.status`, `props.request_path` and `props.method`;
- a GET answered 2xx or 304 for something that is no static file: `page_view`;
- everything else (static files, redirects, HEAD, POST): `request`. It is no page view, yet it belongs to the visitor's
  session, so visitors and sessions are those of the whole log.

A static file is told by its suffix, as log analysers do (GoAccess, AWStats): a log in combined format has no content
type. Feeds under a page's address therefore count as pages; most of their readers are flagged as bots.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from posixpath import splitext
from typing import Any, Final, Literal

from snag.accesslog.request import Request

RequestKind = Literal["page_view", "http_error", "request"]

_STATIC_NAMES: Final = (
    "css map js mjs json wasm webmanifest eot otf ttf woff woff2 "
    "avif bmp gif ico jpeg jpg png svg tif tiff webp flv mp3 mp4 mpeg mpg ogg wav webm "
    "csv doc docx pdf ppt pptx rss txt xls xlsx xml exe gz iso jar rar tar tgz xz zip zst"
)
_STATIC_SUFFIXES: Final = frozenset(f".{name}" for name in _STATIC_NAMES.split())

_NOT_MODIFIED: Final = 304  # the page was shown, from the browser's cache
_ID_BYTES: Final = 16
_DAYS_REMEMBERED: Final = 2  # of repeated lines; a log is in order but for the length of its slowest request


def path_of(target: str) -> str:
    """The path of a request target: without query and fragment."""
    return target.split("?", 1)[0].split("#", 1)[0]


def kind_of(request: Request) -> RequestKind:
    """What the request counts as; the rules stand at the top of this module."""
    if request.status >= 400:
        return "http_error"
    shown = 200 <= request.status < 300 or request.status == _NOT_MODIFIED
    static = splitext(path_of(request.target))[1].lower() in _STATIC_SUFFIXES
    return "page_view" if request.method == "GET" and shown and not static else "request"


def event_of(request: Request, kind: RequestKind, visitor: str, *, is_bot: bool, event_id: str) -> dict[str, Any]:
    """The event for `POST /v1/events`: times as in the log."""
    path = path_of(request.target)
    props: dict[str, Any] = {"status": request.status, "method": request.method, "bytes": request.size_bytes}
    if kind == "http_error":
        props["request_path"] = path
    if request.user_agent:
        props["user_agent"] = request.user_agent
    return {
        "event_id": event_id,
        "kind": "error" if kind == "http_error" else "clickstream",
        "type": kind,
        "visitor_id": visitor,
        "ts": request.ts.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "url": request.target,
        "path": path,
        "referrer": request.referrer,
        "is_bot": is_bot,
        "props": props,
    }


class EventIds:
    """Ids made of what a line says, not of where it stands: importing a log twice, or overlapping ones, adds nothing.

    Equal lines (a second is the log's finest time) are told apart by their occurrence: the first, the second, ... A
    pair of equal lines that log rotation put into two files counts once: the price of repeats that add nothing.
    """

    def __init__(self) -> None:
        self._seen: dict[date, Counter[bytes]] = {}

    def next(self, request: Request, visitor: str) -> str:
        """The id of this occurrence of `request`."""
        content = "\n".join(
            (
                request.ts.isoformat(),
                visitor,
                request.method,
                request.target,
                str(request.status),
                str(request.size_bytes),
                request.referrer,
                request.user_agent,
            )
        )
        digest = hashlib.blake2b(content.encode(), digest_size=_ID_BYTES).digest()
        occurrence = self._occurrence(request.ts.date(), digest)
        return hashlib.blake2b(digest + occurrence.to_bytes(4, "big"), digest_size=_ID_BYTES).hexdigest()

    def _occurrence(self, day: date, digest: bytes) -> int:
        counts = self._seen.setdefault(day, Counter())
        counts[digest] += 1
        while len(self._seen) > _DAYS_REMEMBERED:
            del self._seen[min(self._seen)]
        return counts[digest]
