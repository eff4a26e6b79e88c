"""The collector's HTTP contract: what a client sends, what it is answered, and the OpenAPI document made from both."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from schemas.event import ID_MAX_CHARS, Id, Kind, Text
from schemas.routes import ROUTES, Method, RouteName
from schemas.topics import JSON, NDJSON

Moment = datetime | int | float | None
"""ISO 8601 with any offset (none means UTC), or Unix seconds or milliseconds."""

Label = Annotated[str, msgspec.Meta(max_length=ID_MAX_CHARS)]
TypeName = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX_CHARS)]


class IncomingEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An event as a well-behaved client sends it. The collector takes more than this: see `ingest.lenient`."""

    type: TypeName
    kind: Kind | None = None
    event_id: Id | None = None
    ts: Moment = None
    timestamp: Moment = None
    sent_at: Moment = None
    session_id: Id | None = None
    visitor_id: Id | None = None
    user_id: Id | None = None
    url: Text | None = None
    path: Text | None = None
    page: Text | None = None
    referrer: Text | None = None
    title: Text | None = None
    element: Text | None = None
    x: float | None = None
    y: float | None = None
    device: Label | None = None
    browser: Label | None = None
    os: Label | None = None
    country: Label | None = None
    release: Label | None = None
    is_bot: bool | None = None
    user_agent: Text | None = None
    ip: Label | None = None
    message: Text | None = None
    props: dict[str, Any] | None = None


class IncomingBatch(msgspec.Struct, kw_only=True):
    """Several events and the client's clock when it sent them; other members are ignored."""

    batch: list[IncomingEvent]
    sent_at: Moment = None


class ForgetRequest(msgspec.Struct, kw_only=True):
    """Whom to forget: a visitor, or a user with every visitor id seen with it; with both, both."""

    visitor_id: Id = ""
    user_id: Id = ""


EventCode = Literal[
    "invalid_json",
    "not_an_object",
    "missing_type",
    "unknown_kind",
    "invalid_type",
    "invalid_timestamp",
    "too_long",
    "too_large",
    "too_deep",
]

EVENT_CODES: Final[dict[EventCode, str]] = {
    "invalid_json": "Send valid JSON in UTF-8; NaN, Infinity and lone surrogates are not JSON.",
    "not_an_object": 'Send each event as a JSON object, such as {"type": "page_view"}.',
    "missing_type": 'Name what happened in `type`, such as "page_view".',
    "unknown_kind": f"Use one of {', '.join(get_args(Kind))}, or leave `kind` out.",
    "invalid_type": "Send the field with the type that the documentation gives, or leave it out.",
    "invalid_timestamp": "Send ISO 8601 or Unix seconds or milliseconds, from 1971 to 2299, or leave the field out.",
    "too_long": f"Keep ids and `type` within {ID_MAX_CHARS} characters.",
    "too_large": "Send less data in one event; the limit is the setting ingest.max_event_bytes.",
    "too_deep": "Flatten `props`; the limit is the setting ingest.max_nesting.",
}
"""Why one event is refused, and how to mend it."""

RequestCode = Literal[
    "unauthorized",
    "origin_not_allowed",
    "not_found",
    "method_not_allowed",
    "invalid_json",
    "empty_body",
    "invalid_batch",
    "invalid_envelope",
    "nobody_to_forget",
    "invalid_encoding",
    "too_deep",
    "body_too_large",
    "too_many_events",
    "unsupported_encoding",
    "body_timeout",
    "rate_limited",
    "head_too_large",
    "head_timeout",
    "too_many_connections",
    "overloaded",
    "unavailable",
    "stopping",
    "internal_error",
]


@dataclass(frozen=True)
class RequestRefusal:
    """How a whole request is refused: HTTP status, one sentence, and the fix."""

    status: int
    message: str
    fix: str


REQUEST_CODES: Final[dict[RequestCode, RequestRefusal]] = {
    "unauthorized": RequestRefusal(
        401,
        "The write key is missing or belongs to no site.",
        "Send a key of the `sites` setting as `Authorization: Basic base64(KEY:)`, `Authorization: Bearer KEY`, "
        "`X-Write-Key: KEY` or `?writeKey=KEY`.",
    ),
    "origin_not_allowed": RequestRefusal(
        403,
        "Pages of this origin may not send events for this site.",
        "Add the page's origin to `allowed_origins` of the site, in the setting `sites`.",
    ),
    "not_found": RequestRefusal(404, "No such route.", "Send events to POST /v1/events."),
    "method_not_allowed": RequestRefusal(405, "This route does not take this method.", "Use the method in `Allow`."),
    "invalid_json": RequestRefusal(400, "The body is not valid JSON.", EVENT_CODES["invalid_json"]),
    "empty_body": RequestRefusal(400, "The body is empty.", "Send one event, an array of events, or a batch object."),
    "invalid_batch": RequestRefusal(
        400, "`batch` is not an array.", 'Send {"batch": [event, ..], "sent_at": ..}, an array, or one event.'
    ),
    "invalid_envelope": RequestRefusal(
        400, "The envelope cannot be taken apart.", "Send header lines and payloads as Sentry's SDKs do."
    ),
    "nobody_to_forget": RequestRefusal(
        400, "The body names nobody.", 'Send {"visitor_id": ".."} or {"user_id": ".."}, ids as the events have them.'
    ),
    "invalid_encoding": RequestRefusal(
        400,
        "The compressed body is damaged or truncated.",
        "Send a whole gzip, deflate, br or zstd stream, or plain JSON.",
    ),
    "too_deep": RequestRefusal(400, "The body is nested too deeply to be read.", EVENT_CODES["too_deep"]),
    "body_too_large": RequestRefusal(
        413, "The body is too large.", "Send smaller batches; the limit is the setting ingest.max_body_bytes."
    ),
    "too_many_events": RequestRefusal(
        413,
        "The batch holds too many events.",
        "Send smaller batches; the limit is the setting ingest.max_batch_events.",
    ),
    "unsupported_encoding": RequestRefusal(
        415, "This Content-Encoding is not supported.", "Compress with gzip, deflate, br or zstd, or not at all."
    ),
    "body_timeout": RequestRefusal(408, "The body did not arrive in time.", "Send it again."),
    "rate_limited": RequestRefusal(
        429,
        "Too many requests.",
        "Send it again after `Retry-After` seconds, more events in each request; the limits are the settings `limits`.",
    ),
    "head_too_large": RequestRefusal(431, "The request's head is too large.", "Send fewer or shorter headers."),
    "head_timeout": RequestRefusal(408, "The request's head did not arrive in time.", "Send it again."),
    "too_many_connections": RequestRefusal(
        503,
        "The collector holds as many connections as it may.",
        "Connect again after `Retry-After` seconds; the limit is the setting ingest.max_connections.",
    ),
    "overloaded": RequestRefusal(503, "The collector is full.", "Send it again after `Retry-After` seconds."),
    "unavailable": RequestRefusal(
        503,
        "Neither Kafka nor the spool can store events.",
        "Send it again after `Retry-After` seconds; nothing needs changing.",
    ),
    "stopping": RequestRefusal(503, "The collector is stopping.", "Send it again after `Retry-After` seconds."),
    "internal_error": RequestRefusal(500, "The collector failed.", "Send it again; its log says what happened."),
}
"""Why a whole request is refused."""


class RejectedEvent(msgspec.Struct, kw_only=True):
    """The verdict on one refused event: where it stood, what is wrong with it and how to mend it."""

    index: int
    event_id: str
    code: EventCode
    field: str
    message: str


class Verdicts(msgspec.Struct, kw_only=True):
    """The answer 200: every event is either counted in `accepted` or listed in `rejected`."""

    accepted: int
    rejected: list[RejectedEvent]


class Problem(msgspec.Struct, kw_only=True):
    """The body of every other answer. `error` repeats `message` for clients that look there."""

    code: RequestCode
    message: str
    detail: str
    error: str


PATH: Final = Path(__file__).with_name("openapi.json")

_KEY_SCHEMES: Final[dict[str, dict[str, str]]] = {
    "basic": {"type": "http", "scheme": "basic", "description": "The write key as user name, no password."},
    "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The write key as token."},
    "query": {"type": "apiKey", "in": "query", "name": "writeKey"},
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 description of the collector, as JSON-ready data."""
    shapes, components = msgspec.json.schema_components(
        (IncomingEvent, IncomingBatch, Verdicts, Problem), ref_template="#/components/schemas/{name}"
    )
    event, batch, verdicts, problem = shapes
    refusals: dict[int, list[str]] = {}
    for code, refusal in REQUEST_CODES.items():
        refusals.setdefault(refusal.status, []).append(f"`{code}`: {refusal.message} {refusal.fix}")
    answers: dict[str, Any] = {
        str(status): {"description": " ".join(reasons), **_json_content(problem)}
        for status, reasons in sorted(refusals.items())
        if status != 405
    }
    for status in ("429", "503"):
        answers[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    codes = " ".join(f"`{code}`: {fix}" for code, fix in EVENT_CODES.items())
    answers["200"] = {
        "description": f"Durable in Kafka or in the spool. Codes of refused events: {codes}",
        **_json_content(verdicts),
    }
    body = {
        "required": True,
        "description": "Content-Type is ignored, except that application/x-ndjson means one event per line.",
        "content": {
            JSON: {"schema": {"oneOf": [event, {"type": "array", "items": event}, batch]}},
            NDJSON: {"schema": event},
        },
    }
    post = {
        "summary": ROUTES["events"].summary,
        "security": [{name: []} for name in _KEY_SCHEMES],
        "requestBody": body,
        "responses": {status: answer for status, answer in sorted(answers.items()) if status != "404"},
    }
    others = {status: answer for status, answer in answers.items() if status != "200"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Snag collector",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            **{
                path: {"post": post | {"operationId": f"postEvents{n or ''}"}}
                for n, path in enumerate(ROUTES["events"].paths)
            },
            **{
                path: {method.lower(): _foreign(name, path, method, others) for method in route.methods}
                for name, route in ROUTES.items()
                if name != "events"
                for path in route.paths
            },
            "/health": {"get": _status("getHealth", "Whether the process runs", JSON, "200")},
            "/ready": {"get": _status("getReady", "Whether events are taken now", JSON, "200", "503")},
            "/metrics": {"get": _status("getMetrics", "Prometheus metrics", "text/plain", "200")},
        },
        "components": {"schemas": components, "securitySchemes": _KEY_SCHEMES},
    }


def _json_content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {JSON: {"schema": schema}}}


def _foreign(name: RouteName, path: str, method: Method, refusals: dict[str, Any]) -> dict[str, Any]:
    """A route whose wire format is another product's: its own documentation describes bodies and answers."""
    route = ROUTES[name]
    names = re.findall(r"{(\w+)}", path)
    answers = {**refusals, str(route.done): {"description": "Done, in the client's own shape."}}
    if not names:
        del answers["404"]  # only a name in the path can be of nothing
    return {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}_{name}_{path}").strip("_"),
        "summary": route.summary,
        "tags": [name],
        "security": [{}, *({scheme: []} for scheme in _KEY_SCHEMES)],  # {}: the key may be in the body or the path
        "parameters": [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names],
        **({"requestBody": {"description": route.body, "content": {"*/*": {}}}} if method == "POST" else {}),
        "responses": dict(sorted(answers.items())),
    }


def _status(operation: str, summary: str, content_type: str, *statuses: str) -> dict[str, Any]:
    answer = {"description": summary, "content": {content_type: {}}}
    return {
        "operationId": operation,
        "summary": summary,
        "security": [],
        "responses": dict.fromkeys(statuses, answer),
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(document(), indent=2) + "\n")
