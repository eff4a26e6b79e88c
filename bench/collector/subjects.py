"""What is measured: each as a process on a free port that answers 200 when Kafka has a request's events."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.collector import bodies, otel
from deploy.local.kafka.topics import create_topics
from schemas.settings import KafkaSettings
from tests.support.ports import free_port
from tests.support.stack import ServerProcess, http_ok

PARTITIONS = 8


@dataclass(frozen=True)
class Subject:
    """One collector while it runs: where to post which bodies, by events in a body."""

    name: str
    url: str
    bodies: dict[int, Path]
    process: ServerProcess

    @property
    def origin(self) -> str:
        """Its address without path."""
        return self.url.rsplit("/v1/", 1)[0]


@contextmanager
def ours(
    name: str, directory: Path, bootstrap: str, sizes: list[int], *, module: str = "ingest", processes: int = 1
) -> Iterator[Subject]:
    """Snag's collector, or with another `module` the floor, which reads the same settings."""
    directory.mkdir()
    port = free_port()
    kafka = _kafka(directory, bootstrap)
    create_topics(kafka)
    env = {
        "SNAG_KAFKA__BOOTSTRAP": bootstrap,
        "SNAG_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "SNAG_INGEST__PORT": str(port),
        "SNAG_INGEST__PROCESSES": str(processes),
        "SNAG_INGEST__SPOOL_DIR": str(directory / "spool"),
    }
    origin = f"http://127.0.0.1:{port}"
    process = ServerProcess(
        name, lambda: [sys.executable, "-m", module], lambda: http_ok(f"{origin}/ready"), directory / "log", env
    )
    posted = {size: bodies.write(directory / f"{size}.ndjson", size, bodies.as_array) for size in sizes}
    process.start()
    try:
        yield Subject(name, f"{origin}/v1/events", posted, process)
    finally:
        process.stop()


@contextmanager
def otel_collector(directory: Path, bootstrap: str, sizes: list[int], binary: Path) -> Iterator[Subject]:
    """The OpenTelemetry Collector."""
    directory.mkdir()
    port = free_port()
    kafka = _kafka(directory, bootstrap)
    create_topics(kafka)
    config = otel.config(
        directory / "otel.yaml", port=port, bootstrap=bootstrap, topic=f"{kafka.topic_prefix}clickstream"
    )
    process = ServerProcess(
        "otel", lambda: [str(binary), "--config", f"file:{config}"], lambda: _listens(port), directory / "log"
    )
    posted = {size: bodies.write(directory / f"{size}.ndjson", size, bodies.as_otlp) for size in sizes}
    process.start()
    try:
        yield Subject("OpenTelemetry Collector", f"http://127.0.0.1:{port}/v1/logs", posted, process)
    finally:
        process.stop()


def _kafka(directory: Path, bootstrap: str) -> KafkaSettings:
    """Topics of the subject's own, also when it comes again in another round's directory."""
    prefix = f"{directory.parent.name}-{directory.name}-"
    return KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix, partitions=PARTITIONS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
