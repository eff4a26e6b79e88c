"""The event between a client's JSON and a line of Kafka: read into one struct, completed in place, written from it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from schemas.event import Id, Kind, Text
from schemas.openapi import Label, Moment, TypeName

# What only the collector fills. JSON that says anything there is not read into a Draft.
_OurText = Annotated[str, msgspec.Meta(max_length=0)]
_OurFlag = Annotated[int, msgspec.Meta(ge=2, le=1)]


class Draft(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What a client said of one event (`schemas.openapi.IncomingEvent`), and what the collector makes of it
    (`schemas.event.Event`, whose order of fields it has).

    One struct for both, because to make a second one takes longer than to read the first. An Event's `site`,
    `received_at` and `sent_at` are a whole request's and not here (see `ingest.lines`); `sent_at`, `timestamp` and
    `user_agent` are the client's and gone once it is complete. `client_ts` is always overwritten.
    """

    type: TypeName
    event_id: Id | None = None
    kind: Kind | None = None
    ts: Moment = None
    client_ts: datetime | None = None
    ts_source: _OurText | None = None
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
    ip: Label | None = None
    release: Label | None = None
    is_bot: bool | None = None
    is_hot: _OurFlag | None = None
    error_class: _OurText | None = None
    fingerprint: _OurText | None = None
    message: Text | None = None
    props: dict[str, Any] | None = None
    timestamp: Moment = None
    sent_at: Moment = None
    user_agent: Text | None = None
