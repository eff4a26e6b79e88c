"""The collector as an ASGI application."""

from __future__ import annotations

import asyncio
from typing import Final

from ingest.adapters.adapter import Served
from ingest.adapters.registry import SERVED
from ingest.batcher import Batcher
from ingest.budget import Budget
from ingest.context import ContextReader
from ingest.enrichment import Enrichment
from ingest.events_route import EventsRoute
from ingest.http import Receive, Scope, Send, respond_problem
from ingest.intake import Intake
from ingest.kafka_sink import KafkaSink
from ingest.keys import WriteKeys
from ingest.refusal import RequestError
from ingest.routing import RouteTable, served_at
from ingest.status_routes import StatusRoutes
from schemas.metrics import Metrics
from schemas.routes import ROUTES
from schemas.settings import Settings

STATUS_ROUTES: Final = {"/health": "health", "/ready": "ready", "/metrics": "metrics"}
CLOSE_TIMEOUT_S: Final = 5.0  # for what the producer holds when the server stops; nothing of it was answered 200


class App:
    """Routes requests; starts and stops the Kafka sink with the server (ASGI lifespan)."""

    def __init__(
        self,
        routes: RouteTable[Served],
        *,
        events: EventsRoute,
        status: StatusRoutes,
        batcher: Batcher,
        sink: KafkaSink,
    ) -> None:
        self._routes = routes
        self._events = events
        self._status = status
        self._batcher = batcher
        self._sink = sink

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            path = scope["path"]
            if (found := self._routes.find(path)) is not None:
                await self._events(*found, scope, receive, send)
            elif path in STATUS_ROUTES:
                await self._status(STATUS_ROUTES[path], scope, receive, send)
            else:
                await respond_problem(send, RequestError("not_found", path[:200]))
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._sink.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._batcher.drain()
        except TimeoutError:
            pass
        await self._sink.close(CLOSE_TIMEOUT_S)
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings) -> App:
    """The collector for `settings`; it connects when the server starts it, and serves before Kafka is there."""
    metrics = Metrics()
    budget = Budget(settings.ingest.max_in_flight_bytes)
    sink = KafkaSink(settings.kafka, ack_timeout_s=settings.ingest.ack_timeout_s)
    batcher = Batcher(
        sink,
        budget,
        linger_s=settings.ingest.linger_ms / 1000,
        ack_timeout_s=settings.ingest.ack_timeout_s,
        timed_out=sink.mark_down,
    )
    events = EventsRoute(
        settings.ingest,
        keys=WriteKeys(settings.write_keys()),
        contexts=ContextReader(settings.privacy),
        intake=Intake(settings.ingest, settings.kafka.topic_prefix, batcher, sink, Enrichment(settings.privacy)),
        sink=sink,
        budget=budget,
        metrics=metrics,
    )
    moved = settings.ingest.paths
    routes = RouteTable(
        (place, served) for served in SERVED for path in ROUTES[served.name].paths for place in served_at(path, moved)
    )
    return App(routes, events=events, status=StatusRoutes(sink, batcher, metrics), batcher=batcher, sink=sink)
