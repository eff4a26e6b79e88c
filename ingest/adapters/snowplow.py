"""Snowplow trackers: tracker protocol 2 over POST, and the pixel over GET. The write key is the app id (`aid`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Request, problem
from ingest.adapters.bodies import Members, json_of, read_object
from ingest.adapters.credentials import standard_key
from ingest.adapters.gif import image, refused_image
from ingest.adapters.snowplow_event import event_of
from ingest.adapters.source import from_browser
from ingest.adapters.values import moment, string
from ingest.decode import Submission
from ingest.refusal import Refusal, RequestError
from ingest.times import read_moment
from schemas.openapi import Verdicts

_ABOUT_THE_BODY: Final = (413, 415)
_ON_THE_DEVICE: Final = ("js-", "andr-", "ios-", "rn-", "flutter-")  # trackers that run where the visitor is


def _read(request: Request) -> Submission:
    body = json_of(request)
    pieces = Members(body, "data").pieces(request.max_events)
    if not pieces:
        raise RequestError("empty_body", "`data` holds no events.", unreadable=body)
    return _submission(request, [read_object(piece) for piece in pieces], pieces)


def _read_pixel(request: Request) -> Submission:
    arguments = request.arguments()
    return _submission(request, [dict(arguments)], [msgspec.json.encode(arguments)])


def _submission(
    request: Request, payloads: Sequence[dict[str, Any] | Refusal], originals: Sequence[bytes]
) -> Submission:
    readable = [payload for payload in payloads if not isinstance(payload, Refusal)]
    on_device = any(string(payload.get("tv")).startswith(_ON_THE_DEVICE) for payload in readable)
    return Submission(
        items=[payload if isinstance(payload, Refusal) else event_of(payload) for payload in payloads],
        originals=lambda: originals,
        sent_at=_sent_at(readable),
        write_key=next((key for payload in readable if (key := string(payload.get("aid")))), "").encode(
            errors="replace"
        ),
        server_side=not on_device and not from_browser(request),
    )


def _sent_at(payloads: Sequence[Mapping[str, Any]]) -> datetime | None:
    """When the tracker sent the request; None if one of the times is true by the site's own word (`ttm`): what that
    clock says is not to be corrected.
    """
    if any(payload.get("ttm") for payload in payloads):
        return None
    times = (read_moment(moment(payload.get("stm"))) for payload in payloads)
    return max((time for time in times if time is not None), default=None)


def _pixel_key(request: Request) -> bytes:
    return standard_key(request.headers, request.query) or request.arguments().get("aid", "").encode()


def _ok(_request: Request, _submission: Submission, _verdicts: Verdicts) -> Answer:
    return Answer(body=b"ok", content_type=b"text/plain")


def _refuse(request: Request, error: RequestError) -> Answer:
    """400 where the body is at fault: on 413 trackers send the same one again and again (measured), and on anything
    but 400, 401, 403, 410 and 422 by their source."""
    answer = problem(request, error)
    return msgspec.structs.replace(answer, status=400) if answer.status in _ABOUT_THE_BODY else answer


_KEY_PLACE: Final = "The write key is the tracker's app id (`aid`)."

SNOWPLOW: Final = Adapter(
    name="snowplow", read=_read, answer=_ok, refuse=_refuse, key_in_body=True, key_place=_KEY_PLACE
)
SNOWPLOW_PIXEL: Final = Adapter(
    name="snowplow_pixel", read=_read_pixel, answer=image, refuse=refused_image, key=_pixel_key, key_place=_KEY_PLACE
)
