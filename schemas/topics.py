"""The one table of Kafka topics: code, tests, compose and the AsyncAPI file all read it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS

NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"

RECEIVED_AT_HEADER: Final = "received_at"
"""Header of a micro-batch: newest `received_at` inside, Unix ms in decimal ASCII; for lag in seconds at each hop."""

MAX_RECORD_BYTES: Final = 8 * 1024 * 1024
"""Raised above Kafka's 1 MiB on every topic: a checkpoint blob and one largest allowed event must fit with room."""


@dataclass(frozen=True)
class Topic:
    """One topic. `name` comes without the configurable prefix; `copartitioned` ones share the visitor partitioning."""

    name: str
    key: str
    content_type: str
    retention_ms: int
    cleanup: Literal["delete", "compact"] = "delete"
    copartitioned: bool = True
    description: str = ""

    def full_name(self, prefix: str) -> str:
        """The name on the broker: `prefix` (may be empty) and the name."""
        return f"{prefix}{self.name}"

    def config(self, min_insync_replicas: int = 1) -> dict[str, str]:
        """Kafka's topic configuration; `min_insync_replicas` must have a record before it is acknowledged."""
        return {
            "retention.ms": str(self.retention_ms),
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(MAX_RECORD_BYTES),
            "min.insync.replicas": str(min_insync_replicas),
        }


CLICKSTREAM: Final = Topic(
    "clickstream", "site:visitor_id", NDJSON, 7 * _DAY_MS, description="Page views, clicks and what else people do."
)
ERRORS: Final = Topic("errors", "site:visitor_id", NDJSON, 7 * _DAY_MS, description="Errors people ran into.")
CHECKOUTS: Final = Topic(
    "checkouts", "site:visitor_id", NDJSON, 7 * _DAY_MS, description="Cart and checkout steps, with their value."
)
TICKS: Final = Topic(
    "ticks", "partition", JSON, _HOUR_MS, description="Time as data: about one a second per partition, from its owner."
)
REJECTED: Final = Topic(
    "rejected", "none", NDJSON, 7 * _DAY_MS, description="What was refused: code, field, reason and the original bytes."
)
ERASURES: Final = Topic(
    "erasures",
    "site",
    NDJSON,
    30 * _DAY_MS,
    copartitioned=False,
    description="Visitors and users to be forgotten: the erase list.",
)
SESSIONS: Final = Topic("sessions", "partition", NDJSON, 7 * _DAY_MS, description="Snapshots of session rows.")
FUNNELS: Final = Topic("funnels", "partition", NDJSON, 7 * _DAY_MS, description="Snapshots of funnel attempts.")
SIGNALS: Final = Topic("signals", "partition", NDJSON, 7 * _DAY_MS, description="Snapshots of friction signals.")
FUNNEL_COHORTS: Final = Topic(
    "funnel_cohorts",
    "partition",
    NDJSON,
    7 * _DAY_MS,
    description="Attempts by the minute in which they entered a step and what became of them: live, per partition.",
)
ERROR_RATES: Final = Topic(
    "error_rates", "partition", NDJSON, 7 * _DAY_MS, description="Per-minute error counts with their denominators."
)
METRICS: Final = Topic(
    "metrics",
    "site",
    JSON,
    _DAY_MS,
    description="Per-minute counts of one partition, for the alert agent; without a key: how far partitions are.",
)
ALERTS: Final = Topic(
    "alerts",
    "fingerprint",
    JSON,
    30 * _DAY_MS,
    cleanup="compact",
    copartitioned=False,
    description="One CloudEvents record (binary mode) per change of an alert's state, and every hour while it fires.",
)

LIVE_TABLES: Final = ("state", "alerts")
"""The live workers' Faust tables: partitions' checkpoints, and what the alert agent has said."""


def changelogs(app_id: str) -> tuple[Topic, ...]:
    """The topics that keep the live workers' tables. Made with the others, before a worker starts: one that Faust makes
    itself may still be unknown to the worker at its first write, which then fails.
    """
    return tuple(
        Topic(f"{app_id}-{table}-changelog", "table key", "application/octet-stream", _DAY_MS, cleanup="compact")
        for table in LIVE_TABLES
    )


RAW: Final = (CLICKSTREAM, ERRORS, CHECKOUTS)
DERIVED: Final = (SESSIONS, FUNNELS, FUNNEL_COHORTS, SIGNALS, ERROR_RATES)
ALL: Final = (*RAW, TICKS, REJECTED, ERASURES, *DERIVED, METRICS, ALERTS)

TOPIC_OF_KIND: Final = {"clickstream": CLICKSTREAM, "error": ERRORS, "checkout": CHECKOUTS}
TABLE_OF_TOPIC: Final[dict[str, str]] = {
    "clickstream": "clickstream",
    "errors": "errors",
    "checkouts": "checkouts",
    "rejected": "rejected",
    "erasures": "erasures",
    "sessions": "sessions",
    "funnels": "funnel_attempts",
    "funnel_cohorts": "funnel_cohorts",
    "signals": "friction_signals",
    "error_rates": "error_rates",
    "alerts": "alerts",
}
"""Which ClickHouse table the writer fills from which topic; each record's value is JSONEachRow of that table."""


def majority(replicas: int) -> int:
    """The fewest replicas of which any two sets share one: what a majority of them has survives the loss of the rest.

    1 of 1, 2 of 2, 2 of 3, 3 of 5.
    """
    return replicas // 2 + 1


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a record key among `partitions`: CRC-32, as librdkafka's `consistent` partitioner has it.

    Kafka's murmur2 costs 5 us a key in Python, CRC-32 a tenth of one, and every event pays it.
    """
    return zlib.crc32(key) % partitions


def partitions_of_site(site: str, keys: Iterable[str], partitions: int) -> list[int]:
    """The partitions of the record keys `site:key` for each of `keys`."""
    crc32, start = zlib.crc32, zlib.crc32(f"{site}:".encode())
    return [crc32(key.encode(), start) % partitions for key in keys]
