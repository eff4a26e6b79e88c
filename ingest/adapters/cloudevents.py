"""CloudEvents 1.0 over HTTP: structured, batched and binary mode.

Source: github.com/cloudevents/spec, cloudevents/bindings/http-protocol-binding.md and formats/json-format.md.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from ingest.adapters.adapter import Adapter, Request
from ingest.adapters.bodies import pieces_of, read_object, read_pieces
from ingest.adapters.commerce import type_of_name
from ingest.adapters.fields import cut_id, part, text
from ingest.adapters.native import verdicts_answer
from ingest.adapters.source import from_browser
from ingest.adapters.values import present, string
from ingest.decode import Item, Submission
from ingest.lenient import read_leniently
from ingest.refusal import Refusal
from schemas.event import ID_MAX_CHARS, KIND_OF_TYPE

_HEADER: Final = b"ce-"
_EXTENSIONS: Final = {
    "visitorid": "visitor_id",
    "sessionid": "session_id",
    "userid": "user_id",
}  # lower case by the spec
_READ: Final = frozenset({"specversion", "id", "type", "time", "data", "data_base64", "datacontenttype", *_EXTENSIONS})
_UNIQUE_ID_CHARS: Final = 16  # a shorter id is a counter rather than a UUID, unique within its source only


def _read(request: Request) -> Submission:
    server_side = not from_browser(request)
    headers = {
        name.removeprefix(_HEADER).decode("latin-1"): unquote(value.decode("latin-1"))
        for name, value in request.headers.items()
        if name.startswith(_HEADER)
    }
    if "type" in headers:
        item = _event_of({**headers, "data": _content(request.body)})
        return Submission(items=[item], originals=lambda: [request.body], server_side=server_side)
    pieces = pieces_of(request)
    return Submission(items=read_pieces(pieces, _event_of), originals=lambda: pieces, server_side=server_side)


def _event_of(attributes: Mapping[str, Any]) -> Item:
    """The event of a CloudEvent's attributes and data.

    Data that is an object holds an event's fields as our own format has them; anything else in it is a property. The
    type's last part counts when it is one of ours: `com.shop.order_completed`.
    """
    data = _data(attributes)
    content = dict(data) if isinstance(data, dict) else {"data": data}
    own = part(content.pop("props", None)) or part(content.pop("properties", None))
    fields = {
        **{ours: cut_id(attributes.get(theirs)) for theirs, ours in _EXTENSIONS.items()},
        "type": _type(string(attributes.get("type"))),
        "event_id": _event_id(attributes),
        "ts": text(attributes.get("time")),
    }
    extensions = {name: value for name, value in attributes.items() if name not in _READ}
    return read_leniently({**content, **present(fields), "props": present({**extensions, **own})})


def _type(type_: str) -> str:
    last = type_of_name(type_.rpartition(".")[2], {})
    return last if last in KIND_OF_TYPE else type_


def _event_id(attributes: Mapping[str, Any]) -> str | None:
    """The id; behind its source, if it is too short to be unique by itself."""
    id_, source = text(attributes.get("id")), string(attributes.get("source"))
    if id_ is None or len(id_) >= _UNIQUE_ID_CHARS:
        return id_
    return f"{source[-(ID_MAX_CHARS - _UNIQUE_ID_CHARS) :]}#{id_}"


def _data(attributes: Mapping[str, Any]) -> object:
    encoded = attributes.get("data_base64")
    if not isinstance(encoded, str):
        return attributes.get("data")
    try:
        return _content(base64.b64decode(encoded, validate=True))
    except ValueError:
        return encoded


def _content(body: bytes) -> object:
    """A body as JSON if it is an object, else as text; what is neither is base64."""
    found = read_object(body)
    if not isinstance(found, Refusal):
        return found
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


CLOUDEVENTS: Final = Adapter(name="cloudevents", read=_read, answer=verdicts_answer)
