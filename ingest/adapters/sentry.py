"""Sentry SDKs: envelopes, and single events as older ones send them. The public key is a write key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Request
from ingest.adapters.bodies import moment_of, read_object
from ingest.adapters.credentials import query_key, standard_key
from ingest.adapters.sentry_envelope import parse_envelope
from ingest.adapters.sentry_event import event_of
from ingest.adapters.sentry_session import aggregates_of, session_of
from ingest.adapters.source import from_browser
from ingest.adapters.values import moment, string
from ingest.decode import Item, Submission, too_many_events
from ingest.draft import Draft
from ingest.refusal import Refusal, RequestError
from schemas.openapi import Verdicts

_READERS: Final[dict[str, Callable[[Mapping[str, Any]], Sequence[Item]]]] = {
    "event": lambda data: [event_of(data)],
    "session": lambda data: [session_of(data)],
    "sessions": aggregates_of,
}
_SKIPPED: Final = frozenset(
    (
        *("transaction", "span", "log", "trace_metric", "statsd", "profile", "profile_chunk", "check_in"),
        *("attachment", "client_report", "feedback", "user_report", "replay_event", "replay_recording"),
    )
)  # by name in the metric; others count as unknown there, since anybody may make up a name


def _read_envelope(request: Request) -> Submission:
    headers, parsed = parse_envelope(request.body, request.max_events)
    items: list[Item] = []
    originals: list[bytes] = []
    skipped: Counter[str] = Counter()
    for type_, payload in parsed:
        if (reader := _READERS.get(type_)) is None:
            skipped[type_ if type_ in _SKIPPED else "unknown"] += 1
            continue
        data = read_object(payload)
        found = [data] if isinstance(data, Refusal) else reader(data)
        items += found
        originals += [payload] * len(found)
        if len(items) > request.max_events:
            raise too_many_events(len(items), request.max_events)
    return Submission(
        items=items,
        originals=lambda: originals,
        sent_at=moment_of(headers.get("sent_at")),
        write_key=_key_of_dsn(string(headers.get("dsn"))),
        server_side=not from_browser(request),
        skipped=skipped,
    )


def _read_store(request: Request) -> Submission:
    data = read_object(request.body)
    if isinstance(data, Refusal) and data.code == "invalid_json":
        raise RequestError("invalid_json", data.cause, unreadable=request.body)
    return Submission(
        items=[data if isinstance(data, Refusal) else event_of(data)],
        originals=lambda: [request.body],
        sent_at=moment_of(moment(_auth(request).get("sentry_timestamp"))),
        server_side=not from_browser(request),
    )


def _key(request: Request) -> bytes:
    """The public key: `X-Sentry-Auth`, `?sentry_key=`, or as our own clients send it."""
    if key := _auth(request).get("sentry_key"):
        return key.encode()
    return query_key(request.query, b"sentry_key") or standard_key(request.headers, request.query)


def _auth(request: Request) -> dict[str, str]:
    """The members of `X-Sentry-Auth: Sentry sentry_key=public, sentry_version=7`."""
    header = request.header(b"x-sentry-auth") or request.header(b"authorization")
    scheme, _, members = header.decode("latin-1").partition(" ")
    if scheme.lower() != "sentry":
        return {}
    pairs = (member.strip().partition("=") for member in members.split(","))
    return {name: value for name, _, value in pairs}


def _key_of_dsn(dsn: str) -> bytes:
    try:
        return (urlsplit(dsn).username or "").encode(errors="replace")
    except ValueError:  # brackets that do not close
        return b""


def _answer(_request: Request, submission: Submission, _verdicts: Verdicts) -> Answer:
    """The event's id, as Sentry answers; SDKs want any JSON with 200."""
    ids = [item.event_id for item in submission.items if isinstance(item, Draft) and item.event_id]
    return Answer(body=msgspec.json.encode({"id": ids[0]} if ids else {}))


_KEY_PLACE: Final = "The write key is the public key of the DSN: http://KEY@HOST/1."

SENTRY: Final = Adapter(
    name="sentry",
    read=_read_envelope,
    answer=_answer,
    key=_key,
    key_in_body=True,
    key_place=_KEY_PLACE,
    prefers_spool=True,
)
SENTRY_STORE: Final = Adapter(
    name="sentry_store", read=_read_store, answer=_answer, key=_key, key_place=_KEY_PLACE, prefers_spool=True
)
