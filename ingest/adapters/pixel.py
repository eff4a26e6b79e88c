"""An image for pages without scripts, e-mails and the like: `GET /p.gif?writeKey=..&type=page_view`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Adapter, Request
from ingest.adapters.credentials import QUERY_NAMES
from ingest.adapters.gif import image, refused_image
from ingest.adapters.values import moment, number
from ingest.decode import Item, Submission
from ingest.lenient import read_leniently

_TIMES: Final = ("ts", "timestamp", "sent_at")
_NUMBERS: Final = ("x", "y")
_NO_FIELDS: Final = frozenset({*(name.decode() for name in QUERY_NAMES), "props", "is_bot"})  # a query has only text


def _read(request: Request) -> Submission:
    given = request.arguments()
    page = {"type": "page_view", "url": request.header(b"referer").decode("latin-1")}  # the page that holds the image
    return Submission(items=[event_of_texts(page | given)], originals=lambda: [msgspec.json.encode(given)])


def event_of_texts(given: Mapping[str, str]) -> Item:
    """The event whose fields are `given` as texts, as a query or a form has them; others are properties."""
    fields: dict[str, Any] = {name: value for name, value in given.items() if name not in _NO_FIELDS}
    fields |= {name: moment(fields[name]) for name in _TIMES if name in fields}
    fields |= {name: number(fields[name]) for name in _NUMBERS if name in fields}
    return read_leniently(fields)


PIXEL: Final = Adapter(name="pixel", read=_read, answer=image, refuse=refused_image, prefers_spool=True)
