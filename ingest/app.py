"""The collector as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from ingest.adapters.adapter import Served
from ingest.adapters.registry import SERVED
from ingest.batcher import Batcher
from ingest.budget import Budget
from ingest.context import ContextReader
from ingest.enrichment import Enrichment
from ingest.events_route import EventsRoute
from ingest.http import Receive, Scope, Send, cors, preflight, respond, respond_problem
from ingest.intake import Intake
from ingest.keys import WriteKeys
from ingest.rate_limits import RateLimits
from ingest.refusal import RequestError
from ingest.reload import SitesReloader
from ingest.routing import RouteTable, served_at
from ingest.spool import SpoolError
from ingest.status_routes import StatusRoutes
from ingest.storage import Storage
from schemas.metrics import Metrics
from schemas.routes import ROUTES
from schemas.settings import Settings, load_settings

STATUS_ROUTES: Final = {"/health": "health", "/ready": "ready", "/metrics": "metrics"}

_NO_ROUTE: Final = "none"  # in metrics: a client that was told a wrong path shows there
_ANY_METHOD: Final = b"GET, POST, OPTIONS"

# Of the time a stop may take: half is for requests that are being answered, the rest for these.
_DRAIN_SHARE: Final = 0.2  # until the last records are durable; the spool needs milliseconds for what Kafka owes
_CLOSE_SHARE: Final = 0.1  # for the producer, the thread that watches Kafka, and the spool's disk, each


class App:
    """Routes requests; starts and stops what stores their events with the server (ASGI lifespan)."""

    def __init__(
        self,
        routes: RouteTable[Served],
        *,
        events: EventsRoute,
        status: StatusRoutes,
        batcher: Batcher,
        storage: Storage,
        sites: SitesReloader,
        stop_timeout_s: float,
    ) -> None:
        self._routes = routes
        self._events = events
        self._status = status
        self._batcher = batcher
        self._storage = storage
        self._sites = sites
        self._stop_timeout_s = stop_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            path = scope["path"]
            if (found := self._routes.find(path)) is not None:
                await self._events(*found, scope, receive, send)
            elif path in STATUS_ROUTES:
                await self._status(STATUS_ROUTES[path], scope, receive, send)
            else:
                await self._nothing_there(scope, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    def refused(self, reason: str) -> None:
        """Count a connection that was ended before there was a request."""
        self._status.refused(reason)

    async def _nothing_there(self, scope: Scope, send: Send) -> None:
        """Say that there is no such route, also to a page: without CORS its console would speak of CORS only."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        extra = cors(origin) if origin not in (b"", b"*") else []
        if extra and scope["method"] == "OPTIONS":
            status = 204
            extra += preflight(headers.get(b"access-control-request-headers", b""), _ANY_METHOD)
            await respond(send, status, b"", headers=extra)
        else:
            error = RequestError("not_found", scope["path"][:200])
            status = error.status
            await respond_problem(send, error, extra)
        self._status.count(_NO_ROUTE, status)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._storage.start()
        except SpoolError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        loop = asyncio.get_running_loop()
        watching = [loop.create_task(self._status.keep_observing()), loop.create_task(self._sites.run())]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in watching:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stop_timeout_s * _DRAIN_SHARE):
                await self._batcher.drain()
        await self._storage.close(self._stop_timeout_s * _CLOSE_SHARE)
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings) -> App:
    """The collector for `settings`; it connects when the server starts it, and serves before Kafka is there.

    Raises GeoIpError when the GeoIP file cannot be used.
    """
    ingest = settings.ingest
    metrics = Metrics()
    budget = Budget(ingest.max_in_flight_bytes)
    storage = Storage(settings, budget, metrics)
    delivery = storage.delivery
    batcher = Batcher(
        delivery,
        budget,
        linger_s=ingest.linger_ms / 1000,
        ack_timeout_s=ingest.ack_timeout_s,
        timed_out=storage.kafka.mark_down,
    )
    storage.kafka.before_relayout = batcher.flush
    forget_key = settings.privacy.forget_key
    enrichment = Enrichment(settings.privacy, settings.limits)
    keys = WriteKeys(settings.sites)
    events = EventsRoute(
        ingest,
        keys=keys,
        contexts=ContextReader(settings.privacy),
        limits=RateLimits(settings.limits),
        forget_key=forget_key.get_secret_value().encode() if forget_key else None,
        intake=Intake(ingest, settings.kafka.topic_prefix, batcher, delivery, enrichment),
        delivery=delivery,
        budget=budget,
        metrics=metrics,
    )
    routes = RouteTable(
        (place, served)
        for served in SERVED
        for path in ROUTES[served.name].paths
        for place in served_at(path, ingest.paths)
    )
    return App(
        routes,
        events=events,
        status=StatusRoutes(storage, budget, metrics),
        batcher=batcher,
        storage=storage,
        sites=SitesReloader(load_settings, keys.replace),
        stop_timeout_s=ingest.stop_timeout_s,
    )
