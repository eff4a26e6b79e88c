"""Google Analytics 4: the Measurement Protocol that servers speak, and its validation server.

Source: developers.google.com/analytics/devguides/collection/protocol/ga4. The write key is the `api_secret`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Page, Request
from ingest.adapters.bodies import Members, json_of, read_object, read_pieces
from ingest.adapters.credentials import query_key, standard_key
from ingest.adapters.fields import cut_id, part, text
from ingest.adapters.ga4_event import event_of
from ingest.adapters.values import array, number, string
from ingest.decode import Submission
from ingest.refusal import Refusal, RequestError
from schemas.openapi import Verdicts

_MICROSECONDS_IN_MS: Final = 1000
_EVENTS_MAX: Final = 25
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


def _read(request: Request) -> Submission:
    body = json_of(request)
    members = Members(body, "events")
    pieces = members.pieces(request.max_events)
    if not pieces:
        raise RequestError("empty_body", "`events` holds no events.", unreadable=body)
    device = part(members.get("device"))
    user = cut_id(members.get("user_id"))
    common = {
        "visitor_id": cut_id(members.get("client_id", "app_instance_id"), user),
        "user_id": user,
        "browser": text(device.get("browser")),
        "os": text(device.get("operating_system")),
        "device": text(device.get("category")),
        "user_agent": text(members.get("user_agent")),
        "ip": text(members.get("ip_override")),
    }
    shared_micros = members.get("timestamp_micros")

    def read(found: dict[str, Any]) -> Any:
        ts = _milliseconds(found.get("timestamp_micros", shared_micros))
        return event_of(string(found.get("name")), part(found, "params"), ts=ts, **common)

    return Submission(items=read_pieces(pieces, read), originals=lambda: pieces, server_side=True)


def _milliseconds(micros: object) -> int | None:
    value = number(micros)
    return None if value is None else int(value) // _MICROSECONDS_IN_MS


def _key(request: Request) -> bytes:
    return query_key(request.query, b"api_secret") or standard_key(request.headers, request.query)


def _answer(_request: Request, _submission: Submission, _verdicts: Verdicts) -> Answer:
    """No content, as Google answers; what was refused is in the `rejected` topic."""
    return Answer(status=204, body=b"")


def _validate(request: Request, is_known: Callable[[bytes], bool]) -> Answer:
    """What is wrong with the body, in the validation server's shape; nothing is kept."""
    found = []
    if not is_known(_key(request)):
        found.append(_fault("api_secret", "The api_secret is the write key of no site.", "VALUE_INVALID"))
    payload = read_object(request.body)
    if isinstance(payload, Refusal):
        found.append(_fault("", payload.cause, "VALUE_INVALID"))
    else:
        found += _faults(payload)
    return Answer(body=msgspec.json.encode({"validationMessages": found}))


def _faults(payload: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    if not payload.get("client_id") and not payload.get("app_instance_id"):
        found.append(_fault("client_id", "client_id says who did it; it is missing.", "VALUE_REQUIRED"))
    events = array(payload.get("events"))
    if not events:
        found.append(_fault("events", "events holds no events.", "VALUE_REQUIRED"))
    if len(events) > _EVENTS_MAX:
        found.append(_fault("events", f"Google takes {_EVENTS_MAX} events at most.", "EXCEEDED_MAX_ENTITIES"))
    for event in events:
        name = string(part(event).get("name"))
        if not _NAME.fullmatch(name):
            cause = f"Event name [{name[:60]}] is not a letter and up to 39 letters, digits or underscores."
            found.append(_fault("events", cause, "NAME_INVALID"))
    return found


def _fault(path: str, description: str, code: str) -> dict[str, str]:
    return {"fieldPath": path, "description": description, "validationCode": code}


GA4: Final = Adapter(
    name="ga4", read=_read, answer=_answer, key=_key, key_place="The write key is the query's `api_secret`."
)
GA4_DEBUG: Final = Page(name="ga4_debug", serve=_validate)
