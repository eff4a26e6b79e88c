"""The Faust app of the live workers, made by a factory: one agent on raw topics and ticks, one table, two timers."""

from __future__ import annotations

from typing import Any, Final

import faust

from processors.domain.funnel import AbandonRules
from processors.domain.rules import Rules
from processors.domain.session import SessionRules
from processors.live import rewind
from processors.live.worker import LiveWorker
from schemas import topics
from schemas.funnel import load_funnels
from schemas.metrics import Metrics
from schemas.settings import Settings

_MAX_POLL_RECORDS: Final = 2000  # measured with micro-batches: fewer polls a second, still well under a second of work
_HEARTBEATS_PER_TIMEOUT: Final = 3  # Kafka's usual ratio of session timeout to heartbeat interval
_REBALANCE_TIMEOUT_S: Final = 15.0
_COMMIT_INTERVAL_S: Final = 1.0


def rules_from(settings: Settings) -> Rules:
    """The live rules as the settings have them. Raises FunnelError for a broken funnel file."""
    live = settings.live
    return Rules(
        funnels=load_funnels(settings.funnels_dir),
        session=SessionRules(idle_ms=_ms(live.session_idle_s), max_ms=_ms(live.session_max_s)),
        abandon=AbandonRules(abandon_ms=_ms(live.abandon_after_s)),
        lateness_ms=_ms(live.lateness_s),
        emit_interval_ms=_ms(live.emit_interval_s),
    )


def create_app(settings: Settings, metrics: Metrics) -> tuple[Any, LiveWorker]:
    """The Faust app and the worker inside it. Nothing is connected until the app is started."""
    kafka, live = settings.kafka, settings.live
    app = faust.App(
        f"{kafka.topic_prefix}{live.app_id}",
        broker=f"kafka://{kafka.bootstrap.replace(',', ';kafka://')}",
        store="memory://",
        topic_partitions=kafka.partitions,
        topic_replication_factor=kafka.replication,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=topics.MAX_RECORD_BYTES,
        producer_max_request_size=topics.MAX_RECORD_BYTES,
        producer_compression_type="lz4",
        broker_max_poll_records=_MAX_POLL_RECORDS,
        broker_commit_interval=_COMMIT_INTERVAL_S,
        broker_session_timeout=live.session_timeout_s,
        broker_heartbeat_interval=live.session_timeout_s / _HEARTBEATS_PER_TIMEOUT,
        broker_rebalance_timeout=_REBALANCE_TIMEOUT_S,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        table_standby_replicas=live.standby_replicas,
        web_enabled=False,
    )
    source = app.topic(
        *(topic.full_name(kafka.topic_prefix) for topic in (*topics.RAW, topics.TICKS)),
        partitions=kafka.partitions,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    table = app.Table(
        "state",
        partitions=kafka.partitions,
        key_type=bytes,
        value_type=bytes,
        extra_topic_configs={"max.message.bytes": str(topics.MAX_RECORD_BYTES)},
    )
    table.key_serializer = table.value_serializer = "raw"  # the constructor takes no serializer (Faust 0.15.3)
    worker = LiveWorker(app, table, settings, rules_from(settings), metrics)

    async def live_agent(stream: Any) -> None:
        try:
            await worker.run(stream)
        except Exception as error:
            # Faust would acknowledge and go on with half-applied state; a new process starts from the checkpoint.
            await app.crash(error)
            raise

    app.agent(source, concurrency=1, name="live")(live_agent)
    app.timer(live.tick_interval_s)(worker.tick)
    app.timer(rewind.PERIOD_S)(worker.rewind)

    async def on_partitions_changed(*_: Any, **__: Any) -> None:
        worker.forget()

    app.on_partitions_revoked.connect(on_partitions_changed, weak=False)
    app.on_partitions_assigned.connect(on_partitions_changed, weak=False)
    return app, worker


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
