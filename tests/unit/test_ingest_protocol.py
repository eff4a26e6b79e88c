"""A connection's bounds, with bytes as they may come: the rest is tested over real sockets."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from ingest.http import Receive, Scope, Send, respond
from ingest.protocol import HEAD_MAX_BYTES, GuardedProtocol, Malformed, guarded


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""


async def _app(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await respond(send, 200, b"{}")


@pytest.fixture
async def connection() -> tuple[GuardedProtocol, _Transport]:
    config = uvicorn.Config(_app, ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]  # as the server
    config.load()
    protocol = guarded(10)(config=config, server_state=ServerState(), app_state={})
    transport = _Transport()
    protocol.connection_made(transport)
    return protocol, transport


async def test_the_end_of_a_body_does_not_count_as_the_next_head(
    connection: tuple[GuardedProtocol, _Transport],
) -> None:
    protocol, transport = connection
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (2 * HEAD_MAX_BYTES)
    protocol.data_received(head + b"x" * 2 * HEAD_MAX_BYTES + head[:20])
    assert not transport.closed
    protocol.data_received(head[20:30] + b"x" * HEAD_MAX_BYTES)
    assert b" 431 " in transport.written


async def test_malformed_requests_are_logged_rarely(
    connection: tuple[GuardedProtocol, _Transport], caplog: pytest.LogCaptureFixture
) -> None:
    protocol, transport = connection
    protocol.logger = logging.getLogger("connection")  # uvicorn's may have been silenced by a server in this process
    for _ in range(50):
        protocol.data_received(b"\x00\r\n")
    assert transport.written.count(b" 400 ") >= 1
    assert len([record for record in caplog.records if "Invalid HTTP" in record.message]) == 1


def test_how_many_malformed_requests_there_were_is_said_later() -> None:
    malformed = Malformed()
    assert [malformed.is_due(now_s) for now_s in (0.0, 1.0, 9.9, 10.0, 10.1)] == [True, False, False, True, False]
    assert malformed.count == 5
