"""WSGI middleware (Flask, Django, Bottle, ..): `app.wsgi_app = SnagMiddleware(app.wsgi_app, client)`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import request_uri

from snag_sdk.events_api import EventsApi
from snag_sdk.requests_seen import SLOW_AFTER_S, Seen, Who, found_by, is_worth_telling, report, who_from

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


class SnagMiddleware:
    """Reports exceptions, 5xx, 404 and slow answers of `app`; passes everything on unchanged.

    A request ends when its body has been sent, so a slow stream counts as slow. `who` finds the visitor in the
    environ; by default from headers or cookie (`requests_seen.who_from`).
    """

    def __init__(
        self,
        app: App,
        client: EventsApi,
        *,
        slow_after_s: float = SLOW_AFTER_S,
        who: Callable[[Environ], Who] | None = None,
    ) -> None:
        self._app, self._client, self._slow_after_s = app, client, slow_after_s
        self._who = who or _who

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        """Serve one request."""
        status = 500
        started = time.perf_counter()
        error: BaseException | None = None

        def watch(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = int(line.split(" ", 1)[0])
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        body: Iterable[bytes] = ()
        try:
            body = self._app(environ, watch)
            yield from body
        except Exception as raised:
            error = raised
            raise
        finally:
            if (close := getattr(body, "close", None)) is not None:
                close()
            duration_s = time.perf_counter() - started
            if is_worth_telling(status, duration_s, error, self._slow_after_s):
                path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
                seen = Seen(environ["REQUEST_METHOD"], request_uri(environ), path, status, duration_s, error)
                report(self._client, seen, found_by(self._who, environ), self._slow_after_s)


def _who(environ: Environ) -> Who:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    return who_from(headers)
