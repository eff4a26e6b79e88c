"""The Faust app of the live workers, made by a factory: two agents, each with a table of bytes, and the timers."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import faust

from processors.domain.funnels.attempt import AbandonRules
from processors.domain.rules import Rules
from processors.domain.session import SessionRules
from processors.live import funnel_watch, rewind
from processors.live.alert_agent import CLOCK_PERIOD_S, AlertAgent
from processors.live.delivery import Consumer
from processors.live.worker import LiveWorker
from schemas import topics
from schemas.alert_rule import load_alert_rules
from schemas.funnel import load_funnels
from schemas.metrics import Metrics
from schemas.rules import rules_with
from schemas.settings import Settings

_MAX_POLL_RECORDS: Final = 2000  # measured with micro-batches: fewer polls a second, still well under a second of work
# Of one partition at once: answers of tens of MB are copied with Python's lock held (a quarter of the worker's speed,
# measured). A larger record still comes: the broker always sends one whole batch.
_FETCH_BYTES: Final = 1024 * 1024
_RECOVERY_RECORDS: Final = 16  # held at once while a table is read; Faust's 1000 blobs can be most of a GB
_HEARTBEATS_PER_TIMEOUT: Final = 3  # Kafka's usual ratio of session timeout to heartbeat interval
_REBALANCE_TIMEOUT_S: Final = 15.0
# More than a rebalance, for which the broker keeps a member's request. Faust's 90 s are too long: while one request of
# the consumer's thread waits for an answer that never comes, nothing else is done there, not even a seek.
_REQUEST_TIMEOUT_S: Final = 20.0
_COMMIT_INTERVAL_S: Final = 1.0


def rules_from(settings: Settings) -> Rules:
    """The live rules as the settings have them. Raises FunnelError or RuleError for a broken one."""
    live = settings.live
    return Rules(
        funnels=load_funnels(settings.funnels_dir),
        session=SessionRules(idle_ms=_ms(live.session_idle_s), max_ms=_ms(live.session_max_s)),
        abandon=AbandonRules(abandon_ms=_ms(live.abandon_after_s)),
        lateness_ms=_ms(live.lateness_s),
        emit_interval_ms=_ms(live.emit_interval_s),
        clock_skew_ms=_ms(live.clock_skew_s),
        friction=rules_with(live.friction),
        products=live.products,
    )


def create_app(settings: Settings, metrics: Metrics, work_dir: Path) -> tuple[Any, LiveWorker]:
    """The Faust app and the worker inside it. Nothing is connected until the app is started.

    `work_dir`: where Faust makes its folders, which stay empty; its own default is the current directory, which may
    be read-only or somebody's project.
    """
    kafka, live = settings.kafka, settings.live
    app = faust.App(
        f"{kafka.topic_prefix}{live.app_id}",
        broker=f"kafka://{kafka.bootstrap.replace(',', ';kafka://')}",
        store="memory://",
        datadir=str(work_dir),
        topic_partitions=kafka.partitions,
        topic_replication_factor=kafka.replication,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=_FETCH_BYTES,
        producer_max_request_size=topics.MAX_RECORD_BYTES,
        # aiokafka packs lz4 at level 9: 160 MB/s of rows and 68 of blobs, with zstd 1,200 and 2,400 at half the size.
        producer_compression_type="zstd",
        broker_max_poll_records=_MAX_POLL_RECORDS,
        broker_commit_interval=_COMMIT_INTERVAL_S,
        broker_session_timeout=live.session_timeout_s,
        broker_heartbeat_interval=live.session_timeout_s / _HEARTBEATS_PER_TIMEOUT,
        broker_rebalance_timeout=_REBALANCE_TIMEOUT_S,
        broker_request_timeout=max(_REQUEST_TIMEOUT_S, 2 * live.session_timeout_s),
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        table_standby_replicas=live.standby_replicas,
        web_enabled=False,
    )
    prefix = kafka.topic_prefix
    state, said = (_raw_table(app, name, settings) for name in topics.LIVE_TABLES)
    worker = LiveWorker(app, state, settings, rules_from(settings), metrics)
    app.transport.Consumer = functools.partial(Consumer, take=worker.take, topics=worker.raw_topics)
    alerts = AlertAgent(
        app,
        said,
        worker.output,
        load_alert_rules(),
        metrics,
        partitions=kafka.partitions,
    )

    def agent(run: Callable[[Any], Awaitable[None]], name: str, *sources: topics.Topic) -> None:
        source = app.topic(
            *(topic.full_name(prefix) for topic in sources),
            partitions=kafka.partitions,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

        async def body(stream: Any) -> None:
            try:
                await run(stream)
            except Exception as error:
                # Faust would acknowledge and go on with half-applied state; a new process starts from the checkpoint.
                await app.crash(error)
                raise

        app.agent(source, concurrency=1, name=name)(body)

    agent(worker.run, "live", *topics.RAW, topics.TICKS)
    agent(alerts.run, "alerts", topics.METRICS)
    if live.clock == "system":
        app.timer(live.tick_interval_s)(worker.tick)
    app.timer(rewind.PERIOD_S)(worker.rewind)
    app.timer(funnel_watch.PERIOD_S)(worker.reload_funnels)
    app.timer(CLOCK_PERIOD_S)(worker.tell_alerts_the_time)

    async def on_revoked(*_: Any, **__: Any) -> None:
        worker.forget()
        alerts.forget()

    async def on_assigned(*_: Any, **__: Any) -> None:
        worker.joined()
        alerts.forget()

    app.on_partitions_revoked.connect(on_revoked, weak=False)
    app.on_partitions_assigned.connect(on_assigned, weak=False)
    return app, worker


def _raw_table(app: Any, name: str, settings: Settings) -> Any:
    """A table whose keys and values are bytes as they are."""
    table = app.Table(
        name,
        partitions=settings.kafka.partitions,
        key_type=bytes,
        value_type=bytes,
        recovery_buffer_size=_RECOVERY_RECORDS,
        extra_topic_configs={"max.message.bytes": str(topics.MAX_RECORD_BYTES)},
    )
    table.key_serializer = table.value_serializer = "raw"  # the constructor takes no serializer (Faust 0.15.3)
    return table


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
