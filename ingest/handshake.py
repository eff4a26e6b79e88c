"""TLS handshakes within bounds: how many are under way, and how long one may take.

asyncio hands a connection over when its handshake is done, so those that never finish one would be nobody's: 50 kB
each, for a minute, as many as the system lets in.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from uvloop.loop import SSLProtocol  # type: ignore[attr-defined]  # its stubs leave it out

from ingest.protocol import HEAD_TIMEOUT_S, GuardedProtocol
from schemas.settings import IngestSettings

_TIMEOUT_S: Final = HEAD_TIMEOUT_S  # a handshake is two packets from either side


class TlsError(Exception):
    """Certificate or key cannot be used; the text names the files, the cause and the fix."""


class Handshake(asyncio.Protocol):
    """A connection until its handshake is done; then `protocol` has it."""

    def __init__(
        self, protocol: GuardedProtocol, context: ssl.SSLContext, under_way: set[asyncio.Future[None]]
    ) -> None:
        self._protocol = protocol
        self._context = context
        self._under_way = under_way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or end the connection: before there is TLS, nothing can be said on it."""
        connection = cast(asyncio.Transport, transport)
        if len(self._under_way) >= self._protocol.max_connections:
            self._protocol.refused("too_many_connections")
            connection.abort()
            return
        loop = self._protocol.loop
        done: asyncio.Future[None] = loop.create_future()
        self._under_way.add(done)
        done.add_done_callback(partial(self._done, connection))
        tls = SSLProtocol(loop, self._protocol, self._context, done, server_side=True, ssl_handshake_timeout=_TIMEOUT_S)
        connection.set_protocol(tls)
        tls.connection_made(connection)

    def _done(self, connection: asyncio.Transport, done: asyncio.Future[None]) -> None:
        self._under_way.discard(done)
        if done.cancelled() or done.exception() is not None:
            self._protocol.refused("handshake_failed")
            connection.abort()


def tls_context(settings: IngestSettings) -> ssl.SSLContext | None:
    """What a server speaks TLS by; None when the settings name no certificate. Raises TlsError."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        for file in (certificate, key):
            file.read_bytes()  # of one that it cannot read, ssl does not say which
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        cause = "the key is another certificate's" if mismatch else "they hold no readable certificate and key"
        raise TlsError(_problem(certificate, key, cause)) from error
    except OSError as error:
        raise TlsError(_problem(certificate, key, f"{error.filename}: {error.strerror}")) from error
    return context


def _problem(certificate: Path, key: Path, cause: str) -> str:
    return (
        f"TLS certificate {certificate} with key {key}: {cause}. Set ingest.tls_certificate to a PEM file with the "
        "chain of certificates, its own first, and ingest.tls_key to one with its private key."
    )


def shaken(protocol: Callable[..., GuardedProtocol], context: ssl.SSLContext) -> Callable[..., Handshake]:
    """What makes the connections of a server that speaks TLS by `context`, as `protocol` makes those without."""
    under_way: set[asyncio.Future[None]] = set()

    def make(**arguments: Any) -> Handshake:
        return Handshake(protocol(**arguments), context, under_way)

    return make
