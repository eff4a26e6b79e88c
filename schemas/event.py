"""The event: one flat, typed envelope that any client's data becomes, and the line Kafka and ClickHouse carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.event_types import EVENT_TYPES
from schemas.event_types import Kind as _Kind

Kind = _Kind
KINDS: Final[tuple[Kind, ...]] = ("clickstream", "error", "checkout")

TsSource = Literal["client", "received", "received_future"]
"""Where `ts` comes from: the client's clock, its absence, or a client clock so far ahead that it was not believed."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

EXACT_MS: Final = 4_000_000_000_000
"""Up to here (2096) a float of seconds is nearest to the right microsecond, to which Python and msgspec round."""

ID_MAX_CHARS: Final = 200  # ids are sort keys in ClickHouse; PostHog cuts distinct ids at 200 too
TEXT_MAX_CHARS: Final = 8192  # a URL longer than this is refused by common servers

Id = Annotated[str, msgspec.Meta(max_length=ID_MAX_CHARS)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_MAX_CHARS)]
Number = int | float


class Event(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One thing that happened on a site, as it lies in Kafka and in ClickHouse.

    Times are UTC with millisecond precision. `ts` is the one to query by; the other three say what it was made of.
    An empty string means "not known"; `props` holds whatever the client sent beside the named fields.
    """

    event_id: Id
    site: str
    kind: Kind
    type: Annotated[str, msgspec.Meta(max_length=ID_MAX_CHARS)]
    ts: datetime
    received_at: datetime
    client_ts: datetime | None = None
    sent_at: datetime | None = None
    ts_source: TsSource = "client"
    session_id: Id = ""
    visitor_id: Id = ""
    user_id: Id = ""
    url: Text = ""
    path: Text = ""
    page: Text = ""
    referrer: Text = ""
    title: Text = ""
    element: Text = ""
    x: float | None = None
    y: float | None = None
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    ip: str = ""
    release: str = ""
    is_bot: bool = False
    is_hot: bool = False
    error_class: str = ""
    fingerprint: str = ""
    message: Text = ""
    props: dict[str, Any] = {}


KIND_OF_TYPE: Final[dict[str, Kind]] = {name: event_type.kind for name, event_type in EVENT_TYPES.items()}
"""The kind of each known type; a client may send others, then it names the kind itself (default: clickstream)."""


def to_ms(moment: datetime) -> int:
    """Milliseconds since the Unix epoch of an aware `moment`; exact, unlike a float of seconds."""
    return (moment - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of `ms` milliseconds since the Unix epoch."""
    if 0 <= ms < EXACT_MS:
        return datetime.fromtimestamp(ms / 1000, UTC)  # half the cost of adding to the epoch
    return EPOCH + timedelta(0, 0, ms * 1000)  # keywords would cost a third more


def partition_key(event: Event) -> bytes:
    """The co-partitioning key `site:visitor`.

    Visitor falls back to session. With neither, or of a hot key (`is_hot`), the event counts in rates only; its own id
    then spreads the load and still brings a client's retry to the same partition, where it is recognised.
    """
    who = ("" if event.is_hot else event.visitor_id or event.session_id) or event.event_id
    return f"{event.site}:{who}".encode()
