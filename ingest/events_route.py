"""`POST /v1/events`: the native route, on the hot path."""

from __future__ import annotations

import functools
import time
from datetime import datetime
from typing import Final

import msgspec

from ingest.batcher import AckError
from ingest.budget import Budget
from ingest.decode import decode_native
from ingest.http import (
    RETRY_AFTER_S,
    DisconnectedError,
    Headers,
    Receive,
    Scope,
    Send,
    cors,
    overloaded,
    preflight,
    read_body,
    respond,
    respond_problem,
)
from ingest.inflate import inflate
from ingest.intake import Intake, Receipt, now
from ingest.kafka_sink import KafkaSink
from ingest.keys import WriteKeys
from ingest.refusal import RequestError
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.openapi import Verdicts
from schemas.settings import IngestSettings

_log = get_logger(__name__)

ROUTE: Final = "events"
_METHODS: Final = b"POST, OPTIONS"
_ALL_ACCEPTED: Final = [
    msgspec.json.encode(Verdicts(accepted=count, rejected=[])) for count in range(101)
]  # the answers to most requests


class EventsRoute:
    """Reads a request, hands its events to the intake, and answers when Kafka has acknowledged them."""

    def __init__(
        self,
        settings: IngestSettings,
        *,
        keys: WriteKeys,
        intake: Intake,
        sink: KafkaSink,
        budget: Budget,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._intake = intake
        self._sink = sink
        self._budget = budget
        self._count = functools.cache(metrics.counter)  # labels are known sites, kinds, codes and statuses: few
        self._seconds = metrics.histogram("snag_ingest_request_seconds", ROUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        extra = cors(origin) if origin else []
        status = 200
        try:
            if scope["method"] == "OPTIONS":
                status = 204
                extra += preflight(headers.get(b"access-control-request-headers", b""), _METHODS)
                await respond(send, status, b"", headers=extra)
            elif scope["method"] != "POST":
                extra.append((b"allow", _METHODS))
                raise RequestError("method_not_allowed", scope["method"])
            else:
                await self._post(scope, headers, receive, send, extra)
        except DisconnectedError:
            status = 499  # nobody reads it; the metric counts it, as nginx does
        except RequestError as error:
            status = error.status
            await respond_problem(send, error, extra)
        except Exception:
            status = 500
            _log.exception("a request failed")
            await respond_problem(send, RequestError("internal_error"), extra)
        finally:
            self._count("snag_ingest_requests_total", ROUTE, str(status)).inc()

    async def _post(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send, extra: Headers
    ) -> None:
        get = headers.get
        site = self._keys.site(get(b"authorization", b""), get(b"x-write-key", b""), scope["query_string"])
        if site is None:
            raise RequestError("unauthorized")
        if not self._sink.up:
            raise self._kafka_down(self._sink.reason)
        body = await read_body(receive, get(b"content-length"), self._budget, self._settings.max_body_bytes)
        started = time.perf_counter()
        received_at = now()
        try:
            receipt = self._take(site, body, headers, received_at)
        except RequestError as error:
            self._count("snag_ingest_events_rejected_total", site, error.code).inc()
            if error.unreadable is not None:
                await self._keep(site, error, error.unreadable, received_at)
            raise
        finally:
            self._budget.give(len(body))
        del body
        try:
            await receipt.ticket.acknowledged()
        except AckError as error:
            raise self._kafka_down(str(error)) from error
        for kind, count in receipt.accepted.items():
            self._count("snag_ingest_events_accepted_total", site, kind).inc(count)
        for rejected in receipt.verdicts.rejected:
            self._count("snag_ingest_events_rejected_total", site, rejected.code).inc()
        verdicts = receipt.verdicts
        if verdicts.rejected or verdicts.accepted >= len(_ALL_ACCEPTED):
            answer = msgspec.json.encode(verdicts)
        else:
            answer = _ALL_ACCEPTED[verdicts.accepted]
        await respond(send, 200, answer, headers=extra)
        self._seconds.observe(time.perf_counter() - started)

    def _take(self, site: str, body: bytes, headers: dict[bytes, bytes], received_at: datetime) -> Receipt:
        settings = self._settings
        plain = inflate(body, headers.get(b"content-encoding", b""), settings.max_body_bytes)
        if plain is not body and self._budget.used_bytes + len(plain) > self._budget.limit_bytes:
            raise overloaded(self._budget)
        ndjson = b"ndjson" in headers.get(b"content-type", b"")
        submission = decode_native(plain, ndjson=ndjson, max_events=settings.max_batch_events)
        return self._intake.submit(site, submission, received_at)

    async def _keep(self, site: str, error: RequestError, body: bytes, received_at: datetime) -> None:
        """Put an unreadable `body` into the `rejected` topic; it was not refused for good until it is there."""
        try:
            await self._intake.reject_body(site, error, body, received_at).acknowledged()
        except AckError as lost:
            raise self._kafka_down(str(lost)) from lost

    def _kafka_down(self, reason: str) -> RequestError:
        return RequestError("kafka_down", reason, retry_after_s=RETRY_AFTER_S)
