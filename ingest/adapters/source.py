"""Who made a request: a visitor's own browser or device, or a server that speaks for visitors."""

from __future__ import annotations

from ingest.adapters.adapter import Request


def from_browser(request: Request) -> bool:
    """Whether a page made this request: then its address and user agent are the visitor's.

    Browsers send `Origin` with every POST and `Sec-Fetch-Mode` with everything; older ones are known by their name.
    """
    headers = request.headers
    return b"origin" in headers or b"sec-fetch-mode" in headers or headers.get(b"user-agent", b"")[:8] == b"Mozilla/"
