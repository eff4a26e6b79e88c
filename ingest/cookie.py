"""The optional first-party visitor cookie."""

from __future__ import annotations

import re
from typing import Final

from schemas.settings import CookieSettings

_VALUE: Final = re.compile(rb"[0-9a-f]{32}")  # what this collector gives out; anything else is another program's


class VisitorCookie:
    """Reads and writes the cookie. Scripts cannot read it (HttpOnly): it identifies a browser to the collector only."""

    def __init__(self, settings: CookieSettings) -> None:
        self._name = settings.name.encode()
        self._max_age_s = settings.max_age_s
        parts = ["Path=/", "HttpOnly", f"SameSite={settings.same_site.capitalize()}"]
        if settings.domain:
            parts.append(f"Domain={settings.domain}")
        if settings.secure:
            parts.append("Secure")
        self._attributes = "; ".join(parts).encode()

    def read(self, header: bytes) -> str:
        """The visitor id in a `Cookie` header; empty if it holds none of ours."""
        for pair in header.split(b";"):
            name, _, value = pair.strip().partition(b"=")
            if name == self._name and _VALUE.fullmatch(value):
                return value.decode()
        return ""

    def header(self, visitor_id: str, *, max_age_s: int | None = None) -> bytes:
        """The `Set-Cookie` header that gives a browser `visitor_id`; `max_age_s` 0 takes it away."""
        age_s = self._max_age_s if max_age_s is None else max_age_s
        return b"%s=%s; Max-Age=%d; %s" % (self._name, visitor_id.encode(), age_s, self._attributes)
