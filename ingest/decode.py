"""A request's body, decoded: each event on its own, so that a bad one harms no neighbour."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from ingest.draft import Draft
from ingest.lenient import read_leniently
from ingest.refusal import Refusal, RequestError
from ingest.scan import scan_array
from ingest.times import read_moment
from schemas.openapi import ForgetRequest, Moment, RequestCode

Item = Draft | Refusal

_BOM: Final = b"\xef\xbb\xbf"
_ENVELOPE_HEAD_BYTES: Final = 1024  # where `"batch": [` is looked for in an envelope that cannot be parsed
_BATCH: Final = re.compile(rb'"batch"\s*:\s*\[')

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder may raise on hostile bytes: syntax and types, invalid UTF-8, nesting."""

_one: Final = msgspec.json.Decoder(Draft)
_several: Final = msgspec.json.Decoder(list[Draft])
_anything: Final = msgspec.json.Decoder()
_pieces: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _Envelope(msgspec.Struct):
    batch: list[Draft]
    sent_at: Moment = None
    sentAt: Moment = None


class _Members(msgspec.Struct):
    type: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    batch: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    sent_at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    sentAt: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_envelope: Final = msgspec.json.Decoder(_Envelope)
_members: Final = msgspec.json.Decoder(_Members)


class Submission(msgspec.Struct, frozen=True):
    """What one request brings: its events in order, the client's clock, and the bytes of any event on demand.

    Whatever the wire format, an adapter makes one of these, and the route hands it to `intake.Intake`. `write_key` is
    the key of a format that carries it in the body. `server_side`: a server speaks for its visitors, so that the
    request's own address and user agent say nothing about them (an event's `ip` and `user_agent` may). `skipped`: how
    many parts of the request are of a kind that is not kept, by kind. `forget`: who is to be forgotten.
    """

    items: Sequence[Item]
    originals: Callable[[], Sequence[bytes]]
    sent_at: datetime | None = None
    write_key: bytes = b""
    server_side: bool = False
    skipped: Mapping[str, int] = {}
    forget: ForgetRequest | None = None


def decode_native(body: bytes, *, ndjson: bool, max_events: int) -> Submission:
    """The events of a `POST /v1/events`: one object, an array, `{"batch": [..], "sent_at": ..}`, or lines of objects.

    `ndjson`: the client says it sends lines. Raises RequestError when the body as a whole cannot be read or holds more
    than `max_events` events.
    """
    submission = _strictly(body) if not ndjson else None
    if submission is None:
        submission = _leniently(body.removeprefix(_BOM).strip(), ndjson=ndjson, max_events=max_events)
    if len(submission.items) > max_events:
        raise too_many_events(len(submission.items), max_events)
    return submission


def _strictly(body: bytes) -> Submission | None:
    """The fast path: everything spelled and typed as documented, or None."""
    try:
        if body[:1] == b"[":
            return Submission(_several.decode(body), lambda: split_array(body))
        if b'"batch"' in body[:64]:
            envelope = _envelope.decode(body)
            sent_at = read_moment(envelope.sent_at if envelope.sent_at is not None else envelope.sentAt)
            return Submission(envelope.batch, lambda: _split_batch_of(body), sent_at)
        event = _one.decode(body)
    except UNREADABLE:
        return None
    return Submission((event,), lambda: (body,), read_moment(event.sent_at))


def _leniently(body: bytes, *, ndjson: bool, max_events: int) -> Submission:
    if not body:
        raise RequestError("empty_body")
    if ndjson:
        return _lines(body, max_events)
    sent_at: datetime | None = None
    if body[:1] == b"[":
        pieces = split_array(body, max_events)
    elif body[:1] == b"{":
        try:
            members = _members.decode(body)
        except UNREADABLE as error:
            return _salvaged(body, error, max_events)
        sent_at = _sent_at(members)
        batch = _batch_of(members, body)
        pieces = [body] if batch is None else split_array(batch, max_events)
    else:
        pieces = [body]
        if isinstance(item := _read(body), Refusal) and item.code == "invalid_json":
            raise RequestError("invalid_json", item.cause, unreadable=body)
    return Submission([_read(piece) for piece in pieces], lambda: pieces, sent_at)


def _salvaged(body: bytes, error: Exception, max_events: int) -> Submission:
    """The events of an object body that cannot be parsed in one go. Raises RequestError if it is none of several."""
    if _is_lines(body):
        return _lines(body, max_events)
    if (opening := _BATCH.search(body, 0, _ENVELOPE_HEAD_BYTES)) is not None:
        pieces = scan_array(body[opening.end() - 1 :], in_object=True)
        if pieces is not None:
            if len(pieces) > max_events:
                raise too_many_events(len(pieces), max_events)
            return Submission([_read(piece) for piece in pieces], lambda: pieces)
    if isinstance(error, RecursionError):
        return Submission((_read(body),), lambda: (body,))
    raise RequestError("invalid_json", str(error), unreadable=body) from error


def _batch_of(members: _Members, body: bytes) -> bytes | None:
    """The array of an envelope; None if the object is an event. With another `batch` and no `type` it is neither."""
    if not isinstance(members.batch, msgspec.Raw):
        return None
    batch = bytes(members.batch)
    if batch[:1] == b"[":
        return batch
    if isinstance(members.type, msgspec.Raw):
        return None
    raise RequestError("invalid_batch", unreadable=body)


def _lines(body: bytes, max_events: int) -> Submission:
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    if len(lines) > max_events:
        raise too_many_events(len(lines), max_events)
    return Submission([_read(line) for line in lines], lambda: lines)


def _is_lines(body: bytes) -> bool:
    """Whether an unparsable body is plainly several lines of objects; a pretty-printed object is not."""
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    return len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines)


def _read(piece: bytes) -> Item:
    """One event in JSON `piece`."""
    try:
        return _one.decode(piece)
    except UNREADABLE:
        pass
    try:
        return read_leniently(_anything.decode(piece))
    except RecursionError:
        return Refusal("too_deep", "", "The event is nested too deeply to be read.")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Refusal("invalid_json", "", f"The event cannot be read: {error}.")


def split_array(array: bytes, max_events: int | None = None) -> Sequence[bytes]:
    """The bytes of each element of a JSON array. Raises RequestError when it cannot be taken apart or is too long."""
    pieces: Sequence[msgspec.Raw | bytes] | None
    try:
        pieces = _pieces.decode(array)
    except UNREADABLE as error:
        pieces = scan_array(array)
        if pieces is None:
            code: RequestCode = "too_deep" if isinstance(error, RecursionError) else "invalid_json"
            raise RequestError(code, str(error), unreadable=array) from error
    if max_events is not None and len(pieces) > max_events:
        raise too_many_events(len(pieces), max_events)
    return [bytes(piece) for piece in pieces]


def _split_batch_of(envelope: bytes) -> Sequence[bytes]:
    batch = _members.decode(envelope).batch
    return split_array(bytes(batch)) if isinstance(batch, msgspec.Raw) else ()


def _sent_at(members: _Members) -> datetime | None:
    for raw in (members.sent_at, members.sentAt):
        if isinstance(raw, msgspec.Raw):
            try:
                return read_moment(_anything.decode(raw))
            except UNREADABLE:
                return None
    return None


def too_many_events(events: int, limit: int) -> RequestError:
    """The refusal of a request that holds `events` events."""
    return RequestError("too_many_events", f"It holds {events}; the limit is {limit}.")
