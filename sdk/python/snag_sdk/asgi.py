"""ASGI middleware (Starlette, FastAPI, Django, Quart, ..): `app = SnagMiddleware(app, client)`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from snag_sdk.events_api import EventsApi
from snag_sdk.requests_seen import SLOW_AFTER_S, Seen, Who, found_by, is_worth_telling, report, who_from

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class SnagMiddleware:
    """Reports exceptions, 5xx, 404 and slow answers of `app`; passes everything on unchanged.

    `who` finds the visitor in a request; by default from headers or cookie (`requests_seen.who_from`).
    """

    def __init__(
        self,
        app: App,
        client: EventsApi,
        *,
        slow_after_s: float = SLOW_AFTER_S,
        who: Callable[[Scope], Who] | None = None,
    ) -> None:
        self._app, self._client, self._slow_after_s = app, client, slow_after_s
        self._who = who or _who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # what a server answers when the program raises before its answer began
        started = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:  # a request that is called off raises something else, and is nobody's error
            self._tell(scope, status, time.perf_counter() - started, error)
            raise
        self._tell(scope, status, time.perf_counter() - started, None)

    def _tell(self, scope: Scope, status: int, duration_s: float, error: Exception | None) -> None:
        if is_worth_telling(status, duration_s, error, self._slow_after_s):
            seen = Seen(scope["method"], _url(scope), scope["path"], status, duration_s, error)
            report(self._client, seen, found_by(self._who, scope), self._slow_after_s)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _who(scope: Scope) -> Who:
    return who_from(_headers(scope))


def _url(scope: Scope) -> str:
    host = _headers(scope).get("host", "")
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host}{scope['path']}{'?' + query if query else ''}"
