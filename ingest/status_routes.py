"""`GET /health`, `/ready` and `/metrics`: for load balancers, supervisors and Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from ingest.budget import Budget
from ingest.http import Receive, Scope, Send, respond, respond_problem
from ingest.refusal import RequestError
from ingest.spool.quarantine import Quarantine
from ingest.storage import Storage
from schemas.metrics import Metrics

_METHODS: Final = b"GET, HEAD"
_OBSERVE_INTERVAL_S: Final = 1.0


class StatusRoutes:
    """Answers about the process itself. None of them touches Kafka or the disk: what is believed is what they say."""

    def __init__(self, storage: Storage, budget: Budget, metrics: Metrics) -> None:
        self._storage = storage
        self._budget = budget
        self._metrics = metrics
        self._answers: dict[str, Callable[[], tuple[int, bytes]]] = {
            "health": self._health,
            "ready": self._ready,
            "metrics": self._exposition,
        }

    async def __call__(self, route: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `route`: "health", "ready" or "metrics"."""
        if scope["method"] not in ("GET", "HEAD"):
            self.count(route, 405)
            error = RequestError("method_not_allowed", scope["method"])
            await respond_problem(send, error, [(b"allow", _METHODS)])
            return
        status, body = self._answers[route]()
        self.count(route, status)
        content_type = CONTENT_TYPE_LATEST.encode() if route == "metrics" else b"application/json"
        await respond(send, status, body, content_type=content_type, headers=[(b"cache-control", b"no-store")])

    def _health(self) -> tuple[int, bytes]:
        """The process runs. Restarting it would not bring Kafka back, so Kafka is no part of this."""
        return 200, b'{"status":"ok"}'

    def _ready(self) -> tuple[int, bytes]:
        """Whether events are taken: Kafka acknowledges, or the spool works and is not nearly full."""
        kafka, spool = self._storage.kafka, self._storage.spool
        ready = kafka.up or (self._storage.delivery.accepts() and not spool.error)
        found = {
            "ready": ready,
            "kafka": "up" if kafka.up else "down",
            "spool": {
                "backlog_bytes": spool.backlog_bytes,
                "used_bytes": spool.used_bytes,
                "max_bytes": spool.max_bytes,
                "lag_s": round(spool.lag_s(), 1),
            },
            "quarantine": _quarantine(spool.quarantine),
        }
        if reason := "; ".join(filter(None, (kafka.reason, spool.error))):
            found["reason"] = reason
        return (200 if ready else 503), msgspec.json.encode(found)

    def _exposition(self) -> tuple[int, bytes]:
        self.observe()
        return 200, self._metrics.exposition()

    def count(self, route: str, status: int) -> None:
        """Count one request that no wire format's route has counted."""
        self._metrics.counter("snag_ingest_requests_total", route, str(status)).inc()

    def refused(self, reason: str) -> None:
        """Count one connection that was ended before there was a request."""
        self._metrics.counter("snag_ingest_connections_refused_total", reason).inc()

    def observe(self) -> None:
        """Bring the gauges up to date."""
        gauge, spool = self._metrics.gauge, self._storage.spool
        gauge("snag_ingest_kafka_up").set(self._storage.kafka.up)
        gauge("snag_ingest_in_flight_bytes").set(self._budget.used_bytes)
        gauge("snag_ingest_spool_bytes").set(spool.backlog_bytes)
        gauge("snag_ingest_spool_lag_seconds").set(spool.lag_s())
        gauge("snag_ingest_spool_damaged_bytes").set(spool.damaged_bytes)
        gauge("snag_ingest_quarantine_bytes").set(spool.quarantine.size_bytes)

    async def keep_observing(self) -> None:
        """Do so until cancelled: for processes that share a port, of which any one answers for all."""
        while True:
            self.observe()
            await asyncio.sleep(_OBSERVE_INTERVAL_S)


def _quarantine(found: Quarantine) -> dict[str, object]:
    """What Kafka refuses for good. It is no reason not to be ready: everything else is taken."""
    if not found.events:
        return {"events": 0}
    return {
        "events": found.events,
        "size_bytes": found.size_bytes,
        "path": str(found.path),
        "reason": found.reason,
        "fix": "snag quarantine send, once Kafka takes them",
    }
