"""What makes events durable, put together: Kafka, the spool, what decides between them, and the drain."""

from __future__ import annotations

import asyncio
import contextlib

from ingest.budget import Budget
from ingest.delivery import Delivery
from ingest.kafka_sink import KafkaSink
from ingest.spool import Spool
from ingest.spool.drain import Drain
from schemas.metrics import Metrics
from schemas.settings import Settings


class Storage:
    """Starts and stops the parts together; all methods run on the event loop."""

    def __init__(self, settings: Settings, budget: Budget, metrics: Metrics) -> None:
        ingest, prefix = settings.ingest, settings.kafka.topic_prefix
        self.kafka = KafkaSink(settings.kafka, ack_timeout_s=ingest.ack_timeout_s)
        self.spool = Spool(settings.spool_root(), max_bytes=ingest.spool_max_bytes)
        self.delivery = Delivery(
            self.kafka, self.spool, budget, metrics, topic_prefix=prefix, spool_after_s=ingest.spool_after_s
        )
        self._drain = Drain(
            self.spool,
            self.kafka,
            self.kafka,
            topic_prefix=prefix,
            is_in_kafka=self.delivery.is_in_kafka,
            drained=self.delivery.drained,
            quarantined=metrics.counter("snag_ingest_quarantined_events_total").inc,
        )
        self._draining: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Open the spool, begin connecting to Kafka, and drain. Raises SpoolError when the spool cannot be used."""
        self.spool.open()
        self.kafka.start()
        self._draining = asyncio.get_running_loop().create_task(self._drain.run())

    async def close(self, timeout_s: float) -> None:
        """Stop, waiting at most `timeout_s` for each of producer, watching thread and disk."""
        if self._draining is not None:
            self._draining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._draining
        await self.kafka.close(timeout_s)
        await self.spool.close(timeout_s)
