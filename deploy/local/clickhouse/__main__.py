"""Serve a data folder: `python -m deploy.local.clickhouse --path DIR`."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn

from deploy.local.clickhouse.app import create_app
from deploy.local.clickhouse.engine import Engine, PathBusyError
from deploy.local.clickhouse.errors import ClickHouseError

_STOP_DEADLINE_S = 10  # running queries may finish for so long after SIGTERM
PASSWORD_VARIABLE = "SNAG_CLICKHOUSE_PASSWORD"  # noqa: S105 - the variable's name, not a password


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which ends the process by the signal instead of with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.clickhouse", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8123, help="port to listen on")
    parser.add_argument("--path", type=Path, required=True, help="data folder, made if missing")
    parser.add_argument("--user", default="default", help="the one user")
    parser.add_argument(
        "--password-file", type=Path, help=f"file with the password; else ${PASSWORD_VARIABLE}, else none"
    )
    parser.add_argument("--connections", type=int, default=4, help="queries at a time")
    parser.add_argument("--max-memory-mb", type=int, default=2048, help="the engine's memory limit, MiB")
    return parser.parse_args(argv)


def _configure_logs() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    # uvicorn's one remaining message is a traceback for every response cut short on purpose.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


async def _serve(engine: Engine, options: argparse.Namespace, password: str) -> bool:
    server = _Server(
        uvicorn.Config(
            create_app(engine, user=options.user, password=password),
            host=options.host,
            port=options.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            # A client that asks for the next query on an old connection must not race with its closing.
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_STOP_DEADLINE_S,
        )
    )

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve()
    return server.started


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 could not serve, 2 wrong arguments."""
    options = _arguments(argv)
    _configure_logs()
    log = structlog.get_logger("clickhouse")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if options.password_file is not None:
        password = options.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    engine = Engine(options.path, connections=options.connections, max_memory_mb=options.max_memory_mb)
    try:
        engine.open()
    except (PathBusyError, ClickHouseError, OSError) as cause:
        log.error("not_started", reason=getattr(cause, "text", str(cause)))
        return 1
    log.info("engine_open", path=str(engine.path), version=engine.version)
    try:
        served = asyncio.run(_serve(engine, options, password))
    except SystemExit:
        served = False
    finally:
        engine.close()
    if not served:
        log.error("not_started", reason=f"cannot listen on {options.host}:{options.port}: choose another --port")
    log.info("stopped")
    return 0 if served else 1


if __name__ == "__main__":
    sys.exit(main())
