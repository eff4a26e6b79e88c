"""`GET /health`, `/ready` and `/metrics`: for load balancers, supervisors and Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ingest.batcher import Batcher
from ingest.http import Receive, Scope, Send, respond, respond_problem
from ingest.kafka_sink import KafkaSink
from ingest.refusal import RequestError
from schemas.metrics import Metrics

_METHODS: Final = b"GET, HEAD"


class StatusRoutes:
    """Answers about the process itself. None of them touches Kafka: what the sink believes is what they say."""

    def __init__(self, sink: KafkaSink, batcher: Batcher, metrics: Metrics) -> None:
        self._sink = sink
        self._batcher = batcher
        self._metrics = metrics
        self._answers: dict[str, Callable[[], tuple[int, bytes]]] = {
            "health": self._health,
            "ready": self._ready,
            "metrics": self._exposition,
        }

    async def __call__(self, route: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `route`: "health", "ready" or "metrics"."""
        if scope["method"] not in ("GET", "HEAD"):
            self._metrics.counter("snag_ingest_requests_total", route, "405").inc()
            error = RequestError("method_not_allowed", scope["method"])
            await respond_problem(send, error, [(b"allow", _METHODS)])
            return
        status, body = self._answers[route]()
        self._metrics.counter("snag_ingest_requests_total", route, str(status)).inc()
        content_type = CONTENT_TYPE_LATEST.encode() if route == "metrics" else b"application/json"
        await respond(send, status, body, content_type=content_type, headers=[(b"cache-control", b"no-store")])

    def _health(self) -> tuple[int, bytes]:
        """The process runs. Restarting it would not bring Kafka back, so Kafka is no part of this."""
        return 200, b'{"status":"ok"}'

    def _ready(self) -> tuple[int, bytes]:
        sink = self._sink
        if sink.up:
            return 200, b'{"ready":true,"kafka":"up"}'
        return 503, msgspec.json.encode({"ready": False, "kafka": "down", "reason": sink.reason})

    def _exposition(self) -> tuple[int, bytes]:
        self._metrics.gauge("snag_ingest_kafka_up").set(self._sink.up)
        self._metrics.gauge("snag_ingest_in_flight_bytes").set(self._batcher.in_flight_bytes)
        return 200, generate_latest(self._metrics.registry)
