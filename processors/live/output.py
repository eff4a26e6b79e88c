"""Derived rows and metrics to Kafka: NDJSON micro-batches in the source's own partition, metrics keyed by site."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Final

import msgspec

from processors.domain.emission import Emission
from schemas import topics
from schemas.metrics import Metrics
from schemas.rows import MinuteMetrics
from schemas.topics import Topic, partition_of

_RECORD_MAX_BYTES: Final = 512 * 1024  # one micro-batch: far below the topic's limit, large enough to be cheap

_BY_NAME: Final[dict[str, Topic]] = {topic.name: topic for topic in topics.ALL}
_encode: Final = msgspec.json.Encoder().encode


class Output:
    """Sends what a partition says. Every `send_*` returns when Kafka has acknowledged."""

    def __init__(self, app: Any, prefix: str, partitions: int, metrics: Metrics) -> None:
        self._app, self._prefix, self._partitions, self._metrics = app, prefix, partitions, metrics

    async def send(self, partition: int, emission: Emission, received: int) -> None:
        """Send rows and metrics; `received` is the newest receipt time (Unix ms) behind them."""
        acks: list[Awaitable[Any]] = []
        header = [(topics.RECEIVED_AT_HEADER, b"%d" % received)]
        for name, rows in emission.rows.items():
            topic = _BY_NAME[name]
            headers = [("content-type", topic.content_type.encode()), *header]
            for value in batches(rows):
                acks.append(await self._produce(topic, partition, None, value, headers))
            self._metrics.counter("snag_live_rows_emitted_total", name).inc(len(rows))
        for metric in emission.metrics:
            acks.append(await self._send_metric(metric))
        await asyncio.gather(*acks)

    async def _send_metric(self, metric: MinuteMetrics) -> Awaitable[Any]:
        key = metric.site.encode()
        headers = [("content-type", topics.JSON.encode())]
        return await self._produce(topics.METRICS, partition_of(key, self._partitions), key, _encode(metric), headers)

    async def send_alert(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Send one alert record; returns when Kafka has it."""
        await (await self._produce(topics.ALERTS, None, key, value, headers))

    async def send_tick(self, topic: Topic, partition: int, value: bytes) -> None:
        """Send a tick without waiting for its acknowledgement; a lost tick is followed by the next."""
        await self._produce(topic, partition, None, value, [])

    async def _produce(
        self, topic: Topic, partition: int | None, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        sent: Awaitable[Any] = await self._app.producer.send(
            topic.full_name(self._prefix), key, value, partition, None, headers
        )
        return sent


def batches(rows: Sequence[bytes]) -> Iterator[bytes]:
    """Rows joined by newlines into values of at most _RECORD_MAX_BYTES (a larger row stands alone)."""
    batch: list[bytes] = []
    size = 0
    for row in rows:
        if batch and size + len(row) > _RECORD_MAX_BYTES:
            yield b"\n".join(batch)
            batch, size = [], 0
        batch.append(row)
        size += len(row) + 1
    if batch:
        yield b"\n".join(batch)
