"""Sentry's envelope: a header line, then items, each a header line and a payload.

Source: develop.sentry.dev/sdk/foundations/transport/envelopes; measured with sentry-sdk 2.75 (items with `length`) and
@sentry/node 11.12 (items without: up to the line's end).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ingest.refusal import RequestError


class EnvelopeItem(NamedTuple):
    """One item: its type and the bytes of its payload."""

    type: str
    payload: bytes


def parse_envelope(body: bytes, max_items: int) -> tuple[dict[str, Any], list[EnvelopeItem]]:
    """Headers and items of an envelope.

    Of an envelope that is cut short the whole items are taken; the last one may be a part of its payload.
    Raises RequestError when a header is unreadable, no item is whole, or there are more than `max_items`.
    """
    line, at = _line(body, 0)
    headers = _header(line, body)
    items: list[EnvelopeItem] = []
    while at < len(body):
        line, at = _line(body, at)
        if not line.strip():
            continue
        try:
            header = _header(line, body)
        except RequestError:
            if items and at == len(body):
                break  # cut within a header
            raise
        length = header.get("length")
        if isinstance(length, int) and not isinstance(length, bool) and length >= 0:
            payload = body[at : at + length]
            if len(payload) < length and not items:
                detail = f"An item says it has {length} bytes; {len(payload)} are left."
                raise RequestError("invalid_envelope", detail, unreadable=body)
            at += length
            if body[at : at + 1] == b"\n":
                at += 1
        else:
            payload, at = _line(body, at)
        if len(items) == max_items:
            raise RequestError("too_many_events", f"It holds more than {max_items} items.")
        items.append(EnvelopeItem(str(header.get("type", "")), payload))
    return headers, items


def _line(body: bytes, start: int) -> tuple[bytes, int]:
    """The line that starts at `start`, and where the next one starts."""
    end = body.find(b"\n", start)
    return (body[start:], len(body)) if end < 0 else (body[start:end], end + 1)


def _header(line: bytes, body: bytes) -> dict[str, Any]:
    try:
        header = msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        raise RequestError("invalid_envelope", f"A header cannot be read: {error}.", unreadable=body) from error
    if not isinstance(header, dict):
        raise RequestError("invalid_envelope", "A header is no JSON object.", unreadable=body)
    return header
