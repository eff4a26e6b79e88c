"""Recompute every derived row from the raw events that Kafka still holds: forget what was derived, read again from 0.

Live workers and the writer must be stopped. When they start again, the workers find neither state nor offsets and read
the raw topics from their beginning by the rules as they are now; the same rules give the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from deploy.local.kafka.topics import create_topics
from schemas import topics
from schemas.event import from_ms
from schemas.settings import KafkaSettings, Settings
from snag.clickhouse import ClickHouse
from snag.errors import SnagError

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

_BEGIN_OF: Final = {
    "sessions": "started_at",
    "funnel_attempts": "started_at",
    "funnel_cohorts": "minute",
    "friction_signals": "ts",
    "error_rates": "minute",
}
"""The column of each derived table that says when what a row tells of began."""

_STATE: Final = topics.LIVE_TABLES[0]
_BOOTSTRAP_TIMEOUT_MS: Final = 30_000
_TIMEOUT_S: Final = 60.0  # for a deleted topic to be gone from every broker
_LEAVE_S: Final = 15.0  # a killed worker is a member until its session timeout has passed
_INTERVAL_S: Final = 0.2


class RebuildError(SnagError):
    """Derived rows cannot be recomputed now; the text says why and what to do."""


@dataclass(frozen=True)
class Rebuilt:
    """What was made ready. `since`: rows that begin later are recomputed; None for all rows."""

    since: datetime | None


def rebuild(settings: Settings, clickhouse: ClickHouse, *, incomplete: bool = False) -> Rebuilt:
    """Delete derived rows, what waits in the derived topics, and the live workers' checkpoints and offsets.

    Kafka drops raw events after some days. Then only rows that begin later can be recomputed, which is done with
    `incomplete`: older rows stay; of what was under way at that moment only the later part is counted anew. May be
    called again after a failure.

    Raises:
        RebuildError: a worker still runs, or Kafka lacks old events and `incomplete` is not set. Nothing was deleted.
        kafka.errors.KafkaError: Kafka did not answer.
        SnagError: ClickHouse refused or did not answer.
    """
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 - 0.3 s that `snag --help` need not pay

    kafka = settings.kafka
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap.split(","), bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS)
    try:
        live = f"{kafka.topic_prefix}{settings.live.app_id}"
        _refuse_while_running(admin, (live, settings.writer.group))
        since = _held_since(kafka)
        if since is not None and not incomplete:
            raise RebuildError(
                f"Kafka holds no events from before {since:%Y-%m-%d %H:%M} UTC any more, so older rows cannot be "
                "recomputed. To recompute what began later, and keep older rows as they are, add --incomplete."
            )
        _drop_checkpoints(admin, kafka, settings.live.app_id, live)
        _drop_waiting(admin, kafka)
    finally:
        admin.close()
    for table, begin in _BEGIN_OF.items():
        sql = f"TRUNCATE TABLE {table}"
        if since is not None:
            sql = f"DELETE FROM {table} WHERE {begin} >= fromUnixTimestamp64Milli({_unix_ms(since)}, 'UTC')"  # noqa: S608
        clickhouse.query(sql, default_format="Null").read()
    return Rebuilt(since)


def _refuse_while_running(admin: KafkaAdminClient, groups: Sequence[str]) -> None:
    deadline = time.monotonic() + _LEAVE_S
    while running := _running(admin, groups):
        if time.monotonic() < deadline:
            time.sleep(_INTERVAL_S)
            continue
        raise RebuildError(
            f"Consumer group {' and '.join(running)} still has members. Stop live workers and writer first, and start "
            "them when this is done. On the local stack: snag down, then snag up --rebuild."
        )


def _running(admin: KafkaAdminClient, groups: Sequence[str]) -> list[str]:
    known = {found["group_id"] for found in admin.list_groups()}
    return [group for group in groups if group in known and _members(admin, group)]


def _members(admin: KafkaAdminClient, group: str) -> list[Any]:
    members: list[Any] = admin.describe_groups([group])[group]["members"]
    return members


def _held_since(kafka: KafkaSettings) -> datetime | None:
    """From when on Kafka holds all raw events; None when it holds every one there ever was."""
    from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415 - as above

    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap.split(","), enable_auto_commit=False, group_id=None)
    try:
        partitions = [
            TopicPartition(topic.full_name(kafka.topic_prefix), number)
            for topic in topics.RAW
            for number in range(kafka.partitions)
        ]
        cut = [partition for partition, start in consumer.beginning_offsets(partitions).items() if start > 0]
        if not cut:
            return None
        first = consumer.offsets_for_times(dict.fromkeys(cut, 0))
        # A partition that retention has emptied holds nothing: all it had is older than now.
        oldest = [found.timestamp if found else time.time_ns() // 1_000_000 for found in first.values()]
        return from_ms(max(oldest))
    finally:
        consumer.close()


def _drop_checkpoints(admin: KafkaAdminClient, kafka: KafkaSettings, app_id: str, group: str) -> None:
    """The live workers' state and their offsets in the raw topics; what the alert agent knows stays."""
    from kafka import TopicPartition  # noqa: PLC0415 - as above

    state = next(t for t in topics.changelogs(app_id) if t.name.endswith(f"-{_STATE}-changelog"))
    name = state.full_name(kafka.topic_prefix)
    if name in admin.list_topics():
        admin.delete_topics([name])
    deadline = time.monotonic() + _TIMEOUT_S
    while name in admin.list_topics():
        if time.monotonic() > deadline:
            raise RebuildError(f"Topic {name} is not gone after {_TIMEOUT_S:.0f} s; try again when all brokers are up.")
        time.sleep(_INTERVAL_S)
    create_topics(kafka, app_id)
    if any(found["group_id"] == group for found in admin.list_groups()):
        raw = [
            TopicPartition(topic.full_name(kafka.topic_prefix), number)
            for topic in topics.RAW
            for number in range(kafka.partitions)
        ]
        admin.delete_group_offsets(group, raw)


def _drop_waiting(admin: KafkaAdminClient, kafka: KafkaSettings) -> None:
    """Rows that the writer has not written yet: they were derived before."""
    from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415 - as above

    partitions = [
        TopicPartition(topic.full_name(kafka.topic_prefix), number)
        for topic in topics.DERIVED
        for number in range(kafka.partitions)
    ]
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap.split(","), enable_auto_commit=False, group_id=None)
    try:
        ends = consumer.end_offsets(partitions)
    finally:
        consumer.close()
    admin.delete_records({partition: end for partition, end in ends.items() if end > 0})


def _unix_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
