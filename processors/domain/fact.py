"""A fact: what the live rules keep of an event. Facts of one visitor form a set; no rule depends on arrival order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from sys import intern
from typing import Annotated, Final

import msgspec

from processors.domain.campaign import Campaign, campaign_of
from processors.domain.props import Properties, PropertyReader, number_of, text_of
from schemas.event import EPOCH, MILLISECOND, Kind

_KIND_CODE: Final[dict[Kind, int]] = {"clickstream": 0, "error": 1, "checkout": 2}
CLICKSTREAM, ERROR, CHECKOUT = 0, 1, 2

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Fact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event as the rules see it. Times are Unix ms; `props` are the properties that some rule reads.

    `campaign`: what the address says of it.
    """

    event_id: str
    ts: int
    received: int
    kind: int
    type: str
    session_id: str = ""
    page: str = ""
    path: str = ""
    element: str = ""
    x: float | None = None
    y: float | None = None
    error_class: str = ""
    fingerprint: str = ""
    message: str = ""
    referrer: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    release: str = ""
    user_id: str = ""
    is_bot: bool = False
    props: Properties | None = None
    campaign: Campaign | None = None

    @property
    def place(self) -> str:
        """Where it happened: the path itself, or the page of a client that sends no path."""
        return self.path or self.page

    def number(self, *names: str) -> float | None:
        """The first of the properties `names` that is or spells a finite number."""
        if self.props is not None:
            for name in names:
                number = number_of(self.props.get(name))
                if number is not None:
                    return number
        return None

    def text(self, *names: str) -> str:
        """The first of the properties `names` that is not empty, as people write it."""
        if self.props is not None:
            for name in names:
                text = text_of(self.props.get(name))
                if text:
                    return text
        return ""

    @property
    def order(self) -> tuple[int, str]:
        """Event time, then id: the one order in which every rule reads facts."""
        return (self.ts, self.event_id)


class Line(msgspec.Struct):
    """The fields of an event line that facts are made of; other fields are passed over without being decoded."""

    event_id: str
    site: str
    kind: Kind
    type: str
    ts: Moment
    received_at: Moment
    session_id: str = ""
    visitor_id: str = ""
    user_id: str = ""
    url: str = ""
    path: str = ""
    page: str = ""
    referrer: str = ""
    element: str = ""
    x: float | None = None
    y: float | None = None
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    release: str = ""
    is_bot: bool = False
    is_hot: bool = False
    error_class: str = ""
    fingerprint: str = ""
    message: str = ""
    props: msgspec.Raw = msgspec.Raw()


_decoder: Final = msgspec.json.Decoder(Line)


def decode_lines(value: bytes) -> tuple[list[Line], int]:
    """The event lines of a micro-batch and the count of lines that are none (a foreign producer's mistake)."""
    try:
        return _decoder.decode_lines(value), 0
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_one_by_one(value)


def _decode_one_by_one(value: bytes) -> tuple[list[Line], int]:
    lines: list[Line] = []
    bad = 0
    for text in value.splitlines():
        if not text.strip():
            continue
        try:
            lines.append(_decoder.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError):
            bad += 1
    return lines, bad


MakeFact = Callable[[Line, str, PropertyReader], Fact]
"""From an event line, its session id and the properties wanted to the fact."""


def to_session_fact(line: Line, session_id: str, reader: PropertyReader) -> Fact:
    """As `to_fact`, without what only funnels, friction rules and error rates read."""
    return Fact(
        line.event_id,
        (line.ts - EPOCH) // MILLISECOND,
        (line.received_at - EPOCH) // MILLISECOND,
        _KIND_CODE[line.kind],
        intern(line.type),
        session_id,
        intern(line.page or line.path),
        error_class=intern(line.error_class),
        referrer=intern(line.referrer),
        device=intern(line.device),
        browser=intern(line.browser),
        os=intern(line.os),
        country=intern(line.country),
        release=intern(line.release),
        user_id=intern(line.user_id),
        is_bot=line.is_bot,
        props=reader.read(line.type, line.props) if line.props else None,
        campaign=campaign_of(line.url) if "?" in line.url else None,
    )


def to_fact(line: Line, session_id: str, reader: PropertyReader) -> Fact:
    """The fact in an event line, with the properties that `reader` wants; `session_id` is the line's.

    Texts that many facts share are kept once: half the memory of a visitor, measured, and no slower in all. Times are
    worked out in place, as in `to_ms`: a tenth of this function.
    """
    return Fact(
        line.event_id,
        (line.ts - EPOCH) // MILLISECOND,
        (line.received_at - EPOCH) // MILLISECOND,
        _KIND_CODE[line.kind],
        intern(line.type),
        session_id,
        intern(line.page or line.path),
        intern(line.path),
        intern(line.element),
        line.x,
        line.y,
        intern(line.error_class),
        intern(line.fingerprint),
        intern(line.message),
        intern(line.referrer),
        intern(line.device),
        intern(line.browser),
        intern(line.os),
        intern(line.country),
        intern(line.release),
        intern(line.user_id),
        line.is_bot,
        reader.read(line.type, line.props) if line.props else None,
        campaign_of(line.url) if "?" in line.url else None,
    )
