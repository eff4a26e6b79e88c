"""The one way of a request through the collector, whatever its wire format: on the hot path."""

from __future__ import annotations

import asyncio
import functools
import hmac
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ingest.adapters.adapter import Adapter, Answer, Page, Request, Served, problem
from ingest.adapters.forget import FORGET
from ingest.batcher import AckError
from ingest.budget import Budget
from ingest.context import ContextReader, RequestContext
from ingest.decode import Submission
from ingest.delivery import Delivery
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
)
from ingest.inflate import inflate
from ingest.intake import Intake, Receipt, now
from ingest.keys import WriteKeys
from ingest.rate_limits import RateLimits
from ingest.refusal import RequestError
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.routes import ROUTES
from schemas.settings import IngestSettings

_log = get_logger(__name__)

_METHODS: Final = {name: ", ".join((*route.methods, "OPTIONS")).encode() for name, route in ROUTES.items()}


class EventsRoute:
    """Reads a request, hands its events to the intake, and answers when they are durable."""

    def __init__(
        self,
        settings: IngestSettings,
        *,
        keys: WriteKeys,
        contexts: ContextReader,
        limits: RateLimits,
        forget_key: bytes | None,
        intake: Intake,
        delivery: Delivery,
        budget: Budget,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._contexts = contexts
        self._limits = limits
        self._forget_key = forget_key
        self._intake = intake
        self._delivery = delivery
        self._budget = budget
        # Labels are known routes, sites, kinds, codes and statuses: few.
        self._count = functools.cache(metrics.counter)
        self._seconds = functools.cache(functools.partial(metrics.histogram, "snag_ingest_request_seconds"))

    async def __call__(
        self, served: Served, parameters: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve one request by `served`; `parameters` are those of its path's pattern."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        extra = cors(origin) if origin not in (b"", b"*") and self._keys.allows_for_any(origin) else []
        name = served.name
        method = scope["method"]
        request = Request(
            method=method,
            path=scope["path"],
            query=scope["query_string"],
            headers=headers,
            scheme=scope["scheme"],
            max_body_bytes=self._settings.max_body_bytes,
            max_events=self._settings.max_batch_events,
            parameters=parameters,
        )
        status = 200
        try:
            if method == "OPTIONS":
                if origin and not extra:
                    raise _origin_not_allowed(origin)
                status = 204
                extra += preflight(headers.get(b"access-control-request-headers", b""), _METHODS[name])
                await respond(send, status, b"", headers=extra)
                return
            if method not in ROUTES[name].methods:
                extra.append((b"allow", _METHODS[name]))
                raise RequestError("method_not_allowed", method)
            context = self._contexts(scope, headers)
            self._limits.check_ip(context.ip)
            if isinstance(served, Adapter):
                answer = await self._take(served, request, context, receive)
                if context.new_visitor and answer.status == 200:
                    extra.append(self._contexts.cookie_header(context))
                if served is FORGET:
                    extra += self._contexts.forgetting_headers()
            else:
                answer = await self._show(served, request, receive)
            status = answer.status
            await _send(send, answer, extra)
        except DisconnectedError:
            status = 499  # nobody reads it; the metric counts it, as nginx does
        except RequestError as error:
            status = await self._refuse(served, request, error, send, extra)
        except asyncio.CancelledError:  # the server stops, and this request has had its time
            stopping = RequestError("stopping", retry_after_s=RETRY_AFTER_S)
            status = await self._refuse(served, request, stopping, send, extra)
        except Exception:
            _log.exception("a request failed", route=name)
            status = await self._refuse(served, request, RequestError("internal_error"), send, extra)
        finally:
            self._count("snag_ingest_requests_total", name, str(status)).inc()

    async def _take(self, adapter: Adapter, request: Request, context: RequestContext, receive: Receive) -> Answer:
        """Take a request's events; returns the answer when they are durable."""
        key = adapter.key(request)
        site = self._site(key, request, adapter) if key or not adapter.key_in_body else None
        if not self._delivery.accepts(once_only=adapter.prefers_spool):
            raise _unavailable(self._delivery.refusal)
        body = await self._body(request, receive)
        started = time.perf_counter()
        received_at = now()
        try:
            site, submission, receipt = self._submit(
                adapter, request, context, site=site, body=body, received_at=received_at
            )
        except RequestError as error:
            if site is not None:
                self._count("snag_ingest_events_rejected_total", adapter.name, site, error.code).inc()
                if error.unreadable is not None:
                    await self._keep(site, error, error.unreadable, received_at)
            raise
        finally:
            self._budget.give(len(body))
        for part, count in submission.skipped.items():
            self._count("snag_ingest_parts_skipped_total", adapter.name, part).inc(count)
        # What holds when all is durable is known now. The events go before the wait: those of all requests under way
        # would take more memory than a processor's cache has.
        answer = adapter.answer(request, submission, receipt.verdicts)
        del submission, body
        try:
            await receipt.ticket.acknowledged()
        except AckError as error:
            raise _unavailable(str(error)) from error
        for kind, count in receipt.accepted.items():
            self._count("snag_ingest_events_accepted_total", adapter.name, site, kind).inc(count)
        if receipt.opted_out:
            self._count("snag_ingest_events_opted_out_total", adapter.name, site).inc(receipt.opted_out)
        for rejected in receipt.verdicts.rejected:
            self._count("snag_ingest_events_rejected_total", adapter.name, site, rejected.code).inc()
        self._seconds(adapter.name).observe(time.perf_counter() - started)
        return answer

    def _site(self, key: bytes, request: Request, adapter: Adapter) -> str:
        """The site that `key` speaks for. Raises RequestError: unknown, not from this page, or too often."""
        site = self._keys.site(key)
        if site is None:
            raise RequestError("unauthorized", adapter.key_place)
        if (origin := request.headers.get(b"origin")) and not self._keys.allows(site, origin):
            raise _origin_not_allowed(origin)
        self._limits.check_key(key)
        return site

    async def _body(self, request: Request, receive: Receive) -> bytes:
        """The body as it came; its bytes are taken from the budget. A GET has none."""
        if request.method != "POST":
            return b""
        return await read_body(receive, request.headers.get(b"content-length"), self._budget, request.max_body_bytes)

    def _inflated(self, request: Request, body: bytes, received_at: datetime) -> Request:
        plain = inflate(body, request.header(b"content-encoding"), request.max_body_bytes)
        if plain is not body and self._budget.used_bytes + len(plain) > self._budget.limit_bytes:
            raise overloaded(self._budget)
        return request.with_body(plain, received_at)

    def _submit(
        self,
        adapter: Adapter,
        request: Request,
        context: RequestContext,
        *,
        site: str | None,
        body: bytes,
        received_at: datetime,
    ) -> tuple[str, Submission, Receipt]:
        submission = adapter.read(self._inflated(request, body, received_at))
        if site is None:
            site = self._site(submission.write_key, request, adapter)
        if submission.forget is not None and not self._may_forget(request):
            raise RequestError("unauthorized", "Send the setting privacy.forget_key as `X-Forget-Key`.")
        return site, submission, self._intake.submit(site, submission, received_at, context)

    def _may_forget(self, request: Request) -> bool:
        """Write keys stand in pages for all to read; a site can ask for another key before anybody is forgotten."""
        return self._forget_key is None or hmac.compare_digest(request.header(b"x-forget-key"), self._forget_key)

    async def _show(self, page: Page, request: Request, receive: Receive) -> Answer:
        """Answer a side request."""
        body = await self._body(request, receive)
        try:
            inflated = self._inflated(request, body, now())
            return page.serve(inflated, lambda key: self._keys.site(key) is not None)
        finally:
            self._budget.give(len(body))

    async def _keep(self, site: str, error: RequestError, body: bytes, received_at: datetime) -> None:
        """Put an unreadable `body` into the `rejected` topic; it was not refused for good until it is there."""
        try:
            await self._intake.reject_body(site, error, body, received_at).acknowledged()
        except AckError as lost:
            raise _unavailable(str(lost)) from lost

    async def _refuse(self, served: Served, request: Request, error: RequestError, send: Send, extra: Headers) -> int:
        """Answer a refused request in the client's own shape; returns the status."""
        refuse = served.refuse if isinstance(served, Adapter) else problem
        answer = refuse(request, error)
        if error.retry_after_s is not None:
            extra.append((b"retry-after", b"%d" % error.retry_after_s))
        await _send(send, answer, extra)
        return answer.status


def _origin_not_allowed(origin: bytes) -> RequestError:
    return RequestError("origin_not_allowed", origin.decode("latin-1")[:200])


def _unavailable(reason: str) -> RequestError:
    return RequestError("unavailable", reason, retry_after_s=RETRY_AFTER_S)


async def _send(send: Send, answer: Answer, extra: Headers) -> None:
    headers = [*answer.headers, *extra] if answer.headers else extra
    await respond(send, answer.status, answer.body, content_type=answer.content_type, headers=headers)
