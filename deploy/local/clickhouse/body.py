"""A request's body: read in pieces, decompressed on the way, and the news that the client has left."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from deploy.local.clickhouse.compression import Decoder, body_decoder
from deploy.local.clickhouse.errors import BAD_ARGUMENTS, SOCKET_TIMEOUT, ClickHouseError, error

_RECEIVE_TIMEOUT_S = 30.0  # ClickHouse's http_receive_timeout
# A statement or form must fit in memory; data of an INSERT is streamed and has no such bound.
_MAX_STATEMENT_BYTES = 64 << 20
# What a refused client may still send before its connection is closed instead of reused.
_MAX_DRAIN_BYTES = 64 << 20


class ClientGone(Exception):
    """The client closed the connection, or stopped reading."""


class Body:
    """One request body over ASGI's `receive`."""

    def __init__(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
        self._receive = receive
        self._ended = asyncio.Event()
        self._decoder: Decoder | None = None
        self._ready: Iterator[bytes] = iter(())

    def decode(self, encoding: str, *, blocks: bool = False) -> None:
        """Decompress from here on as the Content-Encoding says, and ClickHouse's own `blocks` inside it.

        Raises:
            ClickHouseError: an unknown encoding.
        """
        self._decoder = body_decoder(encoding, blocks=blocks)

    async def read(self, size_bytes: int) -> bytes:
        """At least `size_bytes` unless the body ends before (then what is left, b"" at the end).

        Raises:
            ClientGone: the client left before the body's end.
            ClickHouseError: the body is not what its encoding says, or nothing came for 30 s.
        """
        pieces: list[bytes] = []
        got_bytes = 0
        while got_bytes < size_bytes:
            piece = await self._next()
            if piece is None:
                break
            pieces.append(piece)
            got_bytes += len(piece)
        return b"".join(pieces)

    async def read_all(self) -> bytes:
        """The whole body.

        Raises:
            ClientGone, ClickHouseError: as `read`; also for a body too large for a statement.
        """
        whole = await self.read(_MAX_STATEMENT_BYTES)
        if len(whole) >= _MAX_STATEMENT_BYTES:
            raise error(BAD_ARGUMENTS, f"a statement may have {_MAX_STATEMENT_BYTES >> 20} MiB: send data with INSERT")
        return whole

    async def _next(self) -> bytes | None:
        while True:
            piece = next(self._ready, None)
            if piece is not None:
                return piece
            raw = await self._raw()
            if raw is None:
                if self._decoder is not None:
                    self._decoder.finish()
                return None
            self._ready = self._decoder.feed(raw) if self._decoder is not None else iter((raw,))

    async def _raw(self) -> bytes | None:
        if self._ended.is_set():
            return None
        try:
            async with asyncio.timeout(_RECEIVE_TIMEOUT_S):
                message = await self._receive()
        except TimeoutError:
            raise error(SOCKET_TIMEOUT, f"the body stopped for {_RECEIVE_TIMEOUT_S:.0f} s before its end") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        if not message.get("more_body", False):
            self._ended.set()
        return message.get("body", b"") or b""

    async def drain(self) -> None:
        """Read what a refused client still sends, so that it gets to see the answer.

        Raises:
            ClientGone: the client left.
        """
        seen_bytes = 0
        try:
            while seen_bytes < _MAX_DRAIN_BYTES and (raw := await self._raw()) is not None:
                seen_bytes += len(raw)
        except ClickHouseError:
            return

    async def disconnected(self) -> None:
        """Return when the client has left; asks only once the body is read, since both use one channel."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
