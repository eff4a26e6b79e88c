"""The HTTP server around the collector: sockets, TLS, signals, deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from ingest.app import create_app
from ingest.handshake import shaken, tls_context
from ingest.protocol import GuardedProtocol, guarded
from schemas.logs import get_logger
from schemas.settings import IngestSettings, Settings

_log = get_logger(__name__)

_GRACE_SHARE: Final = 0.5  # of the time a stop may take, for requests that are being answered
_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 65  # longer than the usual 60 s of a load balancer, which must be the one to close
_LOOK_TICKS: Final = 10  # uvicorn ticks ten times a second; slow senders are looked for once
_STARTUP_FAILED: Final = 3  # as uvicorn has it
_LISTENERS: Final = (
    16  # libuv takes one connection a turn from each; a busy turn lasts 15 ms, and clients come in bursts
)
_SWITCH_INTERVAL_S: Final = 0.0005
_GC_THRESHOLDS: Final = (10_000, 20, 50)  # a body of many events is many objects without cycles: look seldom
_OTHER_FILES: Final = 128  # what the process has open beside connections: spool, Kafka, libraries


class Server(uvicorn.Server):
    """uvicorn's server. A signal stops it cleanly with exit code 0, or, past `stop_timeout_s`, at once with 1."""

    def __init__(self, config: uvicorn.Config, *, stop_timeout_s: float) -> None:
        super().__init__(config)
        self._stop_timeout_s = stop_timeout_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM without raising them again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look for senders that are too slow."""
        if counter % _LOOK_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, GuardedProtocol):
                    connection.look(now)
        return await super().on_tick(counter)

    def _stop(self) -> None:
        if not self.should_exit:
            self.should_exit = True
            last = threading.Timer(self._stop_timeout_s, self._give_up)
            last.daemon = True
            last.start()

    def _give_up(self) -> None:
        _log.error("the stop takes too long; ending at once", limit_s=self._stop_timeout_s)
        os._exit(1)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then stop accepting, answer what is in hand, flush, and return.

    Exits with 3 when the port or the spool cannot be had; the log says why. Raises GeoIpError or TlsError when a file
    that the settings name cannot be used.
    """
    ingest = settings.ingest
    app = create_app(settings)
    protocol: Any = guarded(_connections(ingest), app.refused)  # uvicorn makes connections by it, and asks no more
    if (context := tls_context(ingest)) is not None:
        protocol = shaken(protocol, context)
    tune_interpreter()
    config = uvicorn.Config(
        app,
        host=ingest.host,
        port=ingest.port,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(ingest.stop_timeout_s * _GRACE_SHARE)),
    )
    scheme = "https" if ingest.tls_certificate else "http"
    _log.info("collector starts", scheme=scheme, host=ingest.host, port=ingest.port)
    server = Server(config, stop_timeout_s=ingest.stop_timeout_s)
    try:
        bound = bound_socket(ingest)
    except OSError as error:
        _log.error("the address cannot be had", host=ingest.host, port=ingest.port, reason=error.strerror)
        sys.exit(_STARTUP_FAILED)
    server.run([bound, *(bound.dup() for _ in range(_LISTENERS - 1))])


def tune_interpreter() -> None:
    """Set Python up for the collector's work; call it when what stays for good has been made."""
    # The threads that send and write do little between system calls, and after each the loop would keep the interpreter
    # from them for Python's usual 5 ms: an acknowledgement has several of those.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # tables and patterns need not be looked through again and again
    gc.set_threshold(*_GC_THRESHOLDS)


def bound_socket(ingest: IngestSettings) -> socket.socket:
    """A socket bound to the collector's address. Raises OSError."""
    family = socket.AF_INET6 if ":" in ingest.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ingest.reuse_port:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((ingest.host, ingest.port))
    except OSError:
        bound.close()
        raise
    return bound


def _connections(ingest: IngestSettings) -> int:
    """How many connections the process may hold: the setting, or what its limit of open files leaves it."""
    wanted = ingest.max_connections
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    shares = 3 if ingest.tls_certificate else 2  # as many are being turned away, and with TLS as many shake hands
    possible = (hard - _OTHER_FILES) // shares if hard != resource.RLIM_INFINITY else wanted
    if possible < wanted:
        _log.warning("the limit of open files leaves fewer connections", wanted=wanted, possible=possible)
    return min(wanted, possible)
