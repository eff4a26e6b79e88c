"""What a connection may cost before there is a request: how many there are, how long a head is, how slow a sender."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import (
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from ingest.http import BODY_TIMEOUT_S, RETRY_AFTER_S
from ingest.refusal import RequestError

HEAD_MAX_BYTES: Final = 64 * 1024  # what proxies allow at most; a head with every cookie a browser keeps is half of it
HEAD_TIMEOUT_S: Final = 10.0  # a head is one packet or two
WHOLE_TIMEOUT_S: Final = BODY_TIMEOUT_S + 5.0  # the route answers a slow body by itself; this is for none at all

_INVALID: Final = "Invalid HTTP request received."
_INVALID_PAUSE_S: Final = 10.0  # between two lines of it in the log, since anybody can send one a packet
_OF_UPGRADES: Final = (b"upgrade", b"http2-settings")
_FAREWELL_S: Final = 1.0  # what it sends is read so long, else closing would reset the connection and lose the answer


class Cycle(RequestResponseCycle):
    """uvicorn's request and answer. A whole answer leaves as one packet, where uvicorn writes head and body each with a
    system call. The application gives each answer's length.
    """

    _start: Any = None  # an answer's first message, kept back until the next one tells whether it is the last

    async def send(self, message: Any) -> None:
        """Take a message of the application (ASGI)."""
        if message["type"] == "http.response.start" and self.scope["method"] != "HEAD":  # whose body stays here
            self._start = message
            return
        start, self._start = self._start, None
        if start is None or message.get("more_body") or self.flow.write_paused or self.disconnected:
            if start is not None:
                await super().send(start)
            await super().send(message)
            return
        parts = [STATUS_LINE[start["status"]]]
        for name, value in (*self.default_headers, *start["headers"]):
            if HEADER_VALUE_RE.search(value):
                raise ValueError("an answer's header holds a control character")
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n", message["body"])
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(parts))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class Malformed:
    """What of malformed requests was not said in the log yet."""

    def __init__(self) -> None:
        self.count = 0
        self._quiet_until_s = float("-inf")

    def is_due(self, now_s: float) -> bool:
        """Count one more; whether to say so. `now_s` is the loop's time."""
        self.count += 1
        if now_s < self._quiet_until_s:
            return False
        self._quiet_until_s = now_s + _INVALID_PAUSE_S
        return True


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's connection with bounds. Make a class of it with `guarded`."""

    max_connections: ClassVar[int]
    turned_away: ClassVar[set[asyncio.BaseTransport]]
    malformed: ClassVar[Malformed]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_turned_away = False
        self._in_head = True
        self._head_bytes = 0
        self._ended = False  # a request, in what has come last
        self._waits_since: float | None = self.loop.time()

    @staticmethod
    def refused(reason: str) -> None:
        """Called with the reason when a connection is ended before there is a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take the connection, or say politely that there are too many."""
        if len(self.connections) < self.max_connections:
            super().connection_made(transport)
        else:
            self._turn_away(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if not self._is_turned_away:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that does not end is refused."""
        if self._is_turned_away:
            return
        self._ended = False
        self._feed(data)
        if self._in_head and not self._ended:  # else most of it may be the end of the body before
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX_BYTES:
                self._refuse("head_too_large")

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_on(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if self.malformed.is_due(self.loop.time()):
                self.logger.warning("%s That makes %d since the last such line.", _INVALID, self.malformed.count)
                self.malformed.count = 0
            self.send_400_response(_INVALID)

    def _read_on(self, rest: bytes) -> None:
        """Read on after a head that asks for another protocol, as if it did not: whoever asks goes on in HTTP/1.1 then.

        Java's own client asks for HTTP/2 with its first request. The parser takes what follows such a head for the
        other protocol, and the body would be lost; a new one is given the head without the question.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse("method_not_allowed")
            return
        head = [method, b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        for name, value in self.headers:
            if name == b"connection":
                head += (b"connection: close\r\n",) if b"close" in value.lower() else ()
            elif name not in _OF_UPGRADES:
                head += (name, b": ", value, b"\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self._ended = False
        self._feed(b"".join((*head, b"\r\n", rest)))

    def eof_received(self) -> None:
        """The client sends no more."""

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._in_head = True
        if self._waits_since is None:
            self._waits_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers behind a chunked body are nobody's concern here, and there may be any number."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._head_bytes = 0
        if self.parser.should_upgrade():
            return
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.__class__ = Cycle  # uvicorn gives no way to choose it, and nothing has run yet

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.parser.should_upgrade():
            return
        self._waits_since = None
        self._ended = True
        super().on_message_complete()

    def look(self, now: float) -> None:
        """End the connection if its request takes too long to come; `now` is the loop's time."""
        if self._waits_since is None or self.transport.is_closing():
            return
        waited_s = now - self._waits_since
        if self._in_head and waited_s > HEAD_TIMEOUT_S:
            if self._head_bytes:
                self._refuse("head_timeout")
            else:
                self.transport.close()
        elif waited_s > WHOLE_TIMEOUT_S:
            self.refused("body_timeout")
            self.transport.abort()

    def _refuse(self, code: Any) -> None:
        if not self.transport.is_closing():
            self.refused(code)
            self.transport.write(_answer(RequestError(code)))
            self.transport.close()

    def _turn_away(self, transport: asyncio.Transport) -> None:
        self._is_turned_away = True
        self.refused("too_many_connections")
        transport.write(_answer(RequestError("too_many_connections", retry_after_s=RETRY_AFTER_S)))
        if len(self.turned_away) < self.max_connections:
            self.turned_away.add(transport)
            self.loop.call_later(_FAREWELL_S, self._abort, transport)
        else:
            transport.close()

    def _abort(self, transport: asyncio.Transport) -> None:
        self.turned_away.discard(transport)
        transport.abort()


def guarded(max_connections: int, refused: Callable[[str], None] | None = None) -> type[GuardedProtocol]:
    """The protocol of a server that holds at most `max_connections`, and as many more while it turns them away.

    `refused` is called with the reason of each connection that is ended before there is a request.
    """
    bounds: dict[str, Any] = {"max_connections": max_connections, "turned_away": set(), "malformed": Malformed()}
    if refused is not None:
        bounds["refused"] = staticmethod(refused)
    return type("Guarded", (GuardedProtocol,), bounds)


def _answer(error: RequestError) -> bytes:
    body = msgspec.json.encode(error.problem())
    retry_after = b"retry-after: %d\r\n" % error.retry_after_s if error.retry_after_s is not None else b""
    return b"".join(
        (
            STATUS_LINE[error.status],
            b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
            retry_after,
            b"connection: close\r\n\r\n",
            body,
        )
    )
