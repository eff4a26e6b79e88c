"""Where collector, ClickHouse and Kafka are: as said on the command line, else of the running stack, else as set."""

from __future__ import annotations

from deploy.local.state import read_state
from schemas.settings import Settings


def find_collector(settings: Settings, given: str | None = None) -> str:
    """The collector's URL: `given`, else the running stack's, else the one in `settings`."""
    if given is not None:
        return given
    state = read_state(settings)
    return state.collector if state else f"http://{settings.ingest.host}:{settings.ingest.port}"


def find_clickhouse(settings: Settings, given: str | None = None) -> str:
    """ClickHouse's URL: `given`, else the running stack's, else the one in `settings`."""
    if given is not None:
        return given
    state = read_state(settings)
    return state.clickhouse if state else settings.clickhouse.url


def find_kafka(settings: Settings, given: str | None = None) -> str:
    """Kafka's host:port: `given`, else the running stack's, else the one in `settings`."""
    if given is not None:
        return given
    state = read_state(settings)
    return state.kafka if state else settings.kafka.bootstrap
