"""From the body of a foreign client to JSON, and from JSON to events one by one: a bad one harms no neighbour."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from ingest.adapters.adapter import Request
from ingest.adapters.form import arguments_of
from ingest.decode import UNREADABLE, Item, split_array, too_many_events
from ingest.inflate import inflate
from ingest.refusal import Refusal, RequestError
from ingest.scan import scan_array
from ingest.times import read_moment

_BOM: Final = b"\xef\xbb\xbf"
_FORM: Final = re.compile(rb"[\w.\-\[\]%]{1,64}=")  # how a form begins; base64 has its `=` at the end
_FORM_FIELDS: Final = (b"data", b"payload", b"batch", b"event")
_EDGE_BYTES: Final = 1024  # where the members of an object that cannot be parsed are looked for: before and after it

_REPEATED_BODIES: Final = 2  # 5 MB and 2500 events, the defaults, leave 4 kB a batch to say of all of its events

_anything: Final = msgspec.json.Decoder()
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def json_of(request: Request) -> bytes:
    """The JSON that a body carries: plain, as a form's `data`, percent-encoded, in base64, and in that compressed.

    A GET's query is read as a form. Raises RequestError when it is empty, or cannot be decoded or inflated.
    """
    body = (request.body if request.method == "POST" else request.query).removeprefix(_BOM).strip()
    if _FORM.match(body):
        found = form_field(arguments_of(body))
        body = body if found is None else found
    if body[:1] == b"%":
        body = unquote_to_bytes(body)
    if body[:1] not in (b"{", b"[") and (decoded := from_base64(body)):
        body = inflate(decoded, b"", request.max_body_bytes).removeprefix(_BOM).strip()
    if not body:
        raise RequestError("empty_body")
    return body


def form_field(arguments: Mapping[bytes, bytes]) -> bytes | None:
    """The value in a form that holds events; None if none of its names is known for that."""
    return next((arguments[name] for name in _FORM_FIELDS if name in arguments), None)


def is_form(body: bytes) -> bool:
    """Whether `body` is a form's: names and values rather than JSON."""
    return body[:1] not in (b"{", b"[") and _FORM.match(body) is not None


def from_base64(text: bytes) -> bytes | None:
    """What base64 `text` holds, plain or URL-safe, padded or not, its `+` perhaps made spaces; None if it is none."""
    text = text.strip().replace(b" ", b"+").translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


class Members:
    """The members of an object body, each still as JSON, also when one of them makes the whole unreadable."""

    def __init__(self, body: bytes, array: str) -> None:
        """`array`: the member that holds the events. Raises RequestError when nothing can be made of `body`."""
        self._body = body
        self._pieces: Sequence[bytes] | None = None
        self._raw: Mapping[str, msgspec.Raw] = {}
        try:
            self._raw = _members.decode(body)
        except UNREADABLE as error:
            opening = re.search(rb'"%s"\s*:\s*\[' % array.encode(), body[:_EDGE_BYTES])
            if opening is not None:
                self._pieces = scan_array(body[opening.end() - 1 :], in_object=True)
            if self._pieces is None:
                raise RequestError("invalid_json", str(error), unreadable=body) from error
        self._array = array

    def pieces(self, max_events: int) -> Sequence[bytes] | None:
        """The elements of the array of events, None if there is none. Raises RequestError: too many, or no array."""
        if self._pieces is None:
            array = bytes(self._raw.get(self._array, b"null"))
            if array == b"null":
                return None
            if array[:1] != b"[":
                raise RequestError("invalid_batch", unreadable=self._body)
            return split_array(array, max_events)
        if len(self._pieces) > max_events:
            raise too_many_events(len(self._pieces), max_events)
        return self._pieces

    def size_bytes(self, name: str) -> int:
        """How long the member `name` is as JSON; 0 if it is not there."""
        return len(bytes(self._raw.get(name, b"")))

    def get(self, *names: str) -> Any:
        """The value of the first of `names` that is there, not null and readable; else None.

        Of an unreadable body only strings at its beginning or end are found.
        """
        for name in names:
            if name in self._raw:
                try:
                    value = _anything.decode(self._raw[name])
                except UNREADABLE:
                    continue
                if value is not None:
                    return value
            elif self._pieces is not None:
                edges = self._body[:_EDGE_BYTES] + b"\n" + self._body[-_EDGE_BYTES:]
                if found := re.findall(rb'"%s"\s*:\s*"([^"\\]*)"' % name.encode(), edges):
                    return found[-1].decode("utf-8", "replace")
        return None

    def text(self, *names: str) -> str:
        """As `get`; empty if it is no string."""
        value = self.get(*names)
        return value if isinstance(value, str) else ""


def read_pieces(pieces: Sequence[bytes], read: Callable[[dict[str, Any]], Item]) -> list[Item]:
    """Each of `pieces`, as `read` makes an event of its object; what is no object is refused."""
    return [read(piece) if isinstance(piece := read_object(raw), dict) else piece for raw in pieces]


def check_shared(request: Request, size_bytes: int, events: int) -> None:
    """Refuse what a request says once and each of its events repeats, when it would so become many times its size.

    Raises RequestError when `size_bytes`, `events` times, are more than a few of the largest bodies.
    """
    check_repeated(request, size_bytes * events, f"{events} events share {size_bytes} bytes that each would repeat.")


def check_repeated(request: Request, repeated_bytes: int, detail: str) -> None:
    """Refuse a request of whose body events repeat `repeated_bytes` in all: raises RequestError when that is more than
    a few of the largest bodies.
    """
    if repeated_bytes > _REPEATED_BODIES * request.max_body_bytes:
        raise RequestError("body_too_large", detail)


def read_object(piece: bytes) -> dict[str, Any] | Refusal:
    """The object in JSON `piece`, or why it is none."""
    try:
        value = _anything.decode(piece)
    except RecursionError:
        return Refusal("too_deep", "", "The event is nested too deeply to be read.")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Refusal("invalid_json", "", f"The event cannot be read: {error}.")
    return value if isinstance(value, dict) else Refusal("not_an_object", "", "The event is no object.")


def moment_of(*values: Any) -> Any:
    """The first of `values` that names a usable moment, as a datetime; else None."""
    return next((moment for value in values if (moment := read_moment(value)) is not None), None)


def pieces_of(request: Request) -> Sequence[bytes]:
    """The elements of a body that is an array, or the body itself as the only one, each still as JSON.

    Raises RequestError when it is neither an object nor an array, or the elements are too many.
    """
    body = json_of(request)
    if body[:1] == b"[":
        return split_array(body, request.max_events)
    try:
        _members.decode(body)
    except RecursionError:
        pass  # the event is refused, not the request
    except UNREADABLE as error:
        raise RequestError("invalid_json", str(error), unreadable=body) from error
    return [body]
