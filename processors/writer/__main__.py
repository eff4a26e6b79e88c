"""`python -m processors.writer` writes Kafka's topics into ClickHouse; `.. migrate` brings ClickHouse to the schema."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from typing import Final

from clickhouse_connect.driver.exceptions import Error
from kafka.errors import KafkaError

from processors.health import serve_health
from processors.writer.loop import Writer
from processors.writer.migrate import migrate
from processors.writer.ping import clickhouse_answers
from processors.writer.rejection import RejectError
from schemas.logs import configure_logs, get_logger
from schemas.metrics import Metrics
from schemas.migrations import MigrationError
from schemas.settings import Settings, load_settings

_STUCK_AFTER_S: Final = 60.0  # a turn of the loop takes at most a poll and a commit, some seconds

_log = get_logger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 after a clean end, 1 with the reason on stderr otherwise."""
    parser = argparse.ArgumentParser(prog="python -m processors.writer", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["run", "migrate"], default="run")
    arguments = parser.parse_args(argv)
    settings = load_settings()
    configure_logs("writer")
    return _migrate(settings) if arguments.command == "migrate" else _run(settings)


def _migrate(settings: Settings) -> int:
    try:
        applied = migrate(settings.clickhouse)
    except (MigrationError, Error) as error:
        sys.stderr.write(f"migrate: {error}\nClickHouse was asked at {settings.clickhouse.url}.\n")
        return 1
    _log.info("migrated", applied=applied, database=settings.clickhouse.database)
    return 0


def _run(settings: Settings) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    metrics = Metrics()
    writer = Writer(settings, metrics)
    ping = clickhouse_answers(settings.clickhouse.url)

    def alive() -> str:
        silence_s = time.monotonic() - writer.beat_s
        return f"the loop has not turned for {silence_s:.0f} s" if silence_s > _STUCK_AFTER_S else ""

    def ready() -> str:
        return ping() if writer.joined else "no partitions assigned yet: waiting for Kafka and its topics"

    health = serve_health(settings.writer.health_port, alive=alive, ready=ready, registry=metrics.registry)
    _log.info("started", health_port=health.server_port, group=settings.writer.group)
    try:
        writer.run(stop)
    except (RejectError, KafkaError) as error:
        _log.error("stopped", reason=str(error), error=type(error).__name__)
        return 1
    finally:
        health.shutdown()
    _log.info("stopped", reason="asked to")
    return 0


if __name__ == "__main__":
    sys.exit(main())
