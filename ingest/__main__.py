"""`python -m ingest`: the collector as a process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Final

import uvicorn

from ingest.app import create_app
from ingest.geoip import GeoIpError
from schemas.logs import configure_logs, get_logger
from schemas.settings import load_settings

_GRACE_SHARE: Final = 0.5  # of the time a stop may take, for requests that are being answered
_BACKLOG: Final = 2048


class _Server(uvicorn.Server):
    """uvicorn's server, stopping on signals without raising them again: a clean stop exits with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def main() -> None:
    """Serve until SIGTERM or SIGINT; then stop accepting, answer what is in hand, flush, and return."""
    configure_logs("ingest")
    settings = load_settings()
    try:
        app = create_app(settings)
    except GeoIpError as error:
        sys.exit(f"collector: {error}")
    config = uvicorn.Config(
        app,
        host=settings.ingest.host,
        port=settings.ingest.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=max(1, int(settings.ingest.stop_timeout_s * _GRACE_SHARE)),
    )
    get_logger("ingest").info("collector starts", host=settings.ingest.host, port=settings.ingest.port)
    _Server(config).run()


if __name__ == "__main__":
    main()
