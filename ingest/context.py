"""What a request says of its client beside its events: user agent, address, opt-out, visitor cookie."""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from ingest.addresses import client_address
from ingest.cookie import VisitorCookie
from ingest.http import Headers, Scope
from schemas.settings import PrivacySettings

_VISITOR_BYTES: Final = 16
_NO_COOKIE: Final = b"cookie=no"
"""In the query of the browser SDK's requests. They bring the ids that their visitor has agreed to and no others, and
most go without credentials: each would be given another visitor."""


class RequestContext(msgspec.Struct, frozen=True, kw_only=True):
    """One request's client. `ip` is whole: for limits and GeoIP, never to be kept as it is.

    `visitor_id` is the one of the visitor cookie, `new_visitor` says that the answer has to set it.
    """

    user_agent: str = ""
    ip: str = ""
    opted_out: bool = False
    from_browser: bool = False
    visitor_id: str = ""
    new_visitor: bool = False


NO_CONTEXT: Final = RequestContext()


def _declines_cookie(scope: Scope) -> bool:
    return _NO_COOKIE in scope.get("query_string", b"").split(b"&")


class ContextReader:
    """Reads the context of each request, and says what its answer must carry."""

    def __init__(self, settings: PrivacySettings) -> None:
        self._ignores_opt_out = settings.opt_out == "ignore"
        self._address = client_address(settings.trusted_proxies)
        self._cookie = VisitorCookie(settings.cookie) if settings.cookie.enabled else None

    def __call__(self, scope: Scope, headers: dict[bytes, bytes]) -> RequestContext:
        """The context of one request."""
        get = headers.get
        peer = scope.get("client")
        opted_out = not self._ignores_opt_out and (get(b"sec-gpc") == b"1" or get(b"dnt") == b"1")
        from_browser = b"origin" in headers or b"sec-fetch-mode" in headers or b"referer" in headers
        visitor_id, new_visitor = "", False
        if self._cookie is not None and from_browser and not opted_out and not _declines_cookie(scope):
            visitor_id = self._cookie.read(get(b"cookie", b""))
            if not visitor_id:
                visitor_id, new_visitor = secrets.token_hex(_VISITOR_BYTES), True
        return RequestContext(
            user_agent=get(b"user-agent", b"").decode("latin-1"),
            ip=self._address(peer[0], get(b"x-forwarded-for", b""), get(b"forwarded", b"")) if peer else "",
            opted_out=opted_out,
            from_browser=from_browser,
            visitor_id=visitor_id,
            new_visitor=new_visitor,
        )

    def cookie_header(self, context: RequestContext) -> tuple[bytes, bytes]:
        """The header that gives the browser its `new_visitor` id."""
        assert self._cookie is not None  # noqa: S101  without it no context has a new visitor
        return b"set-cookie", self._cookie.header(context.visitor_id)

    def forgetting_headers(self) -> Headers:
        """Headers for the answer to a visitor who is forgotten: the cookie goes too."""
        return [] if self._cookie is None else [(b"set-cookie", self._cookie.header("", max_age_s=0))]
