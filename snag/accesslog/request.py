"""One line of an access log as data: this project's NDJSON, or the combined format of Apache and nginx."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import msgspec


class LineError(ValueError):
    """A line that is no request; the text says why."""


class Request(msgspec.Struct, frozen=True):
    """One request. `client` is what tells visitors apart before hashing: the address, or the log's own visitor id."""

    ts: datetime
    client: str
    method: str
    target: str
    status: int
    size_bytes: int
    referrer: str
    user_agent: str
    has_visitor_id: bool


class _Line(msgspec.Struct):
    ts: datetime
    visitor: str
    method: str
    path: str
    status: int
    bytes: int | None = None
    referrer: str | None = None
    user_agent: str | None = None


_decoder: Final = msgspec.json.Decoder(_Line)

_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_COMBINED: Final = re.compile(
    rf"(\S+) \S+ .*?\[([^\]]+)\] {_QUOTED} (\d{{3}}) (\d+|-)(?: {_QUOTED} {_QUOTED})?",
)
_STAMP: Final = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_request(line: bytes) -> Request:
    """The request on `line`: a JSON object, else combined (or common) log format. Raises LineError."""
    return _from_json(line) if line.startswith(b"{") else _from_combined(line.decode(errors="replace"))


def _from_json(line: bytes) -> Request:
    try:
        found = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LineError(f"not a request as JSON: {error}") from error
    if found.ts.tzinfo is None:
        raise LineError("`ts` has no time zone")
    return Request(
        ts=found.ts.astimezone(UTC),
        client=found.visitor,
        method=found.method,
        target=found.path,
        status=found.status,
        size_bytes=found.bytes or 0,
        referrer=found.referrer or "",
        user_agent=found.user_agent or "",
        has_visitor_id=True,
    )


def _from_combined(line: str) -> Request:
    match = _COMBINED.match(line)
    if match is None:
        raise LineError("not a line of the combined log format")
    address, stamp, request, status, size, referrer, user_agent = match.groups()
    method, target = _request_line(request)
    return Request(
        ts=_stamp(stamp),
        client=address,
        method=method,
        target=target,
        status=int(status),
        size_bytes=0 if size == "-" else int(size),
        referrer=_text(referrer),
        user_agent=_text(user_agent),
        has_visitor_id=False,
    )


def _request_line(request: str) -> tuple[str, str]:
    """Method and target of `GET /path HTTP/1.1`; what is no request line (a TLS hello, say) is all target."""
    parts = request.split(" ")
    if len(parts) >= 2 and parts[0].isalpha() and parts[0].isupper():
        return parts[0], parts[1]
    return "", request


def _stamp(text: str) -> datetime:
    """`17/May/2015:10:05:03 +0000` in UTC. By hand: strptime reads month names in the user's own language."""
    match = _STAMP.fullmatch(text)
    if match is None:
        raise LineError(f"unreadable time {text!r}")
    day, month, year, hour, minute, second, sign, zone_h, zone_min = match.groups()
    zone = timedelta(hours=int(zone_h), minutes=int(zone_min))
    try:
        moment = datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone(-zone if sign == "-" else zone),
        )
    except ValueError as error:
        raise LineError(f"unreadable time {text!r}") from error
    return moment.astimezone(UTC)


def _text(field: str | None) -> str:
    """A quoted field's text; the log writes "-" for none."""
    return "" if field is None or field == "-" else field.replace('\\"', '"')
