"""PostHog's capture API, v0 (`/batch`, `/capture`, `/e`, `/i/v0/e`) and v1 (`/i/v1/analytics/events`).

Sources: PostHog's own capture service (rust/capture), and what posthog-js, posthog-node and posthog-python really send.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Request
from ingest.adapters.bodies import Members, check_repeated, json_of, moment_of, read_object
from ingest.adapters.credentials import key_of_authorization
from ingest.adapters.fields import part, text
from ingest.adapters.posthog_event import events_of
from ingest.adapters.source import from_browser
from ingest.adapters.values import moment, string
from ingest.decode import Item, Submission, split_array
from ingest.refusal import Refusal, RequestError
from schemas.event import ID_MAX_CHARS
from schemas.openapi import Verdicts

NOT_KEPT: Final = frozenset({"$snapshot", "$snapshot_items", "$$heatmap", "$$client_ingestion_warning"})
"""Session replays and the like: no events; they are skipped and counted."""

_KEY_NAMES: Final = ("api_key", "token", "$token")


def read(request: Request) -> Submission:
    """The events of a v0 request: one, an array of them, or `{api_key, batch, sent_at}`; or of a GET's `data`."""
    body = json_of(request)
    arguments = request.arguments()
    sent_at = moment_of(moment(arguments.get("sent_at")), moment(arguments.get("_")))
    if body[:1] == b"[":
        pieces: Sequence[bytes] = split_array(body, request.max_events)
        return _submission(request, pieces, sent_at, "", "")
    members = Members(body, "batch")
    batch = members.pieces(request.max_events)
    key = members.text(*_KEY_NAMES)
    return _submission(request, [body] if batch is None else batch, moment_of(members.get("sent_at"), sent_at), key, "")


def read_v1(request: Request) -> Submission:
    """The events of a v1 request. When it was sent and by which library stands in its headers."""
    body = json_of(request)
    members = Members(body, "batch")
    pieces = members.pieces(request.max_events)
    if pieces is None:
        raise RequestError("invalid_batch", unreadable=body)
    sent_at = request.header(b"posthog-request-timestamp").decode("latin-1")
    library = request.header(b"posthog-sdk-info").decode("latin-1")[:ID_MAX_CHARS]  # stands in each event
    return _submission(request, pieces, moment_of(sent_at, members.get("created_at")), "", library)


def _submission(
    request: Request, pieces: Sequence[bytes], sent_at: datetime | None, key: str, library: str
) -> Submission:
    items: list[Item] = []
    originals: list[bytes] = []
    skipped: dict[str, int] = {}
    repeated_bytes = 0
    for piece in pieces:
        data = read_object(piece)
        if isinstance(data, Refusal):
            found: Sequence[Item] = (data,)
        else:
            key = key or _key_of(data)
            if (name := string(data.get("event"))) in NOT_KEPT:
                skipped[name] = skipped.get(name, 0) + 1
                continue
            found = events_of(data, library)
            if len(found) > 1:  # several metrics, each with all properties of the event
                repeated_bytes += len(piece) * (len(found) - 1)
                check_repeated(request, repeated_bytes, f"Its web vitals would repeat {repeated_bytes} bytes or more.")
        items += found
        originals += [piece] * len(found)
    return Submission(
        items,
        lambda: originals,
        sent_at,
        write_key=key.encode(),
        server_side=not from_browser(request),
        skipped=skipped,
    )


def _key_of(data: dict[str, Any]) -> str:
    """The key in an event: where there is no batch around it, it is in the event or its properties."""
    places = (data, part(data, "properties"))
    return text(*(place.get(name) for place in places for name in _KEY_NAMES)) or ""


def _bearer(request: Request) -> bytes:
    authorization = request.header(b"authorization")
    return key_of_authorization(authorization) if authorization else b""


def _no_key(_request: Request) -> bytes:
    """A v0 key is in the body only; what else may look like one (a proxy's Basic credentials) is not ours."""
    return b""


def answer(_request: Request, _submission: Submission, verdicts: Verdicts) -> Answer:
    """Exactly 200, since PostHog's clients send again on any other 2xx. Refused events are listed beside the status."""
    if verdicts.rejected:
        return Answer(body=msgspec.json.encode({"status": "Ok", "rejected": verdicts.rejected}))
    return _OK


_OK: Final = Answer(body=b'{"status":"Ok"}')


def answer_v1(_request: Request, submission: Submission, verdicts: Verdicts) -> Answer:
    """A result for each event by its uuid: `ok`, or `drop` with the reason."""
    refused = {rejected.index: rejected for rejected in verdicts.rejected}
    results: dict[str, Any] = {}
    for index, item in enumerate(submission.items):
        if (uuid := item.event_id) is None:
            continue
        rejected = refused.get(index)
        if rejected is None:
            results.setdefault(uuid, {"result": "ok"})
        else:
            results[uuid] = {"result": "drop", "details": f"{rejected.code}: {rejected.message}"}
    return Answer(body=msgspec.json.encode({"results": results}))


_KEY_PLACE: Final = "The write key is PostHog's project API key (`api_key` or `token`, in v1 the Bearer token)."

POSTHOG: Final = Adapter(name="posthog", read=read, answer=answer, key=_no_key, key_in_body=True, key_place=_KEY_PLACE)
POSTHOG_V1: Final = Adapter(name="posthog_v1", read=read_v1, answer=answer_v1, key=_bearer, key_place=_KEY_PLACE)
