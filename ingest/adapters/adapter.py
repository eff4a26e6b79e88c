"""What an adapter is: a pure description of one wire format, which one route class runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from ingest.adapters.credentials import standard_key
from ingest.adapters.form import arguments_of, texts_of
from ingest.decode import Submission
from ingest.refusal import RequestError
from schemas.event import EPOCH
from schemas.openapi import Verdicts
from schemas.routes import RouteName

JSON: Final = b"application/json"

_NO_PARAMETERS: Final[dict[str, str]] = {}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request as an adapter sees it. Header names are lower-case; `body` is inflated and within the limits.
    `received_at` is when its last byte came; before there is a body it is the epoch.

    `parameters` are the parts of the path that the adapter's pattern names, such as `project` in
    `/api/{project}/envelope`.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    max_body_bytes: int
    max_events: int
    received_at: datetime = EPOCH
    scheme: str = "http"
    parameters: Mapping[str, str] = _NO_PARAMETERS
    body: bytes = b""

    def with_body(self, body: bytes, received_at: datetime) -> Request:
        """The same request, once its body is there."""
        return Request(
            method=self.method,
            path=self.path,
            query=self.query,
            headers=self.headers,
            received_at=received_at,
            max_body_bytes=self.max_body_bytes,
            max_events=self.max_events,
            scheme=self.scheme,
            parameters=self.parameters,
            body=body,
        )

    def header(self, name: bytes) -> bytes:
        """A header's value, empty if it is not there."""
        return self.headers.get(name, b"")

    def address(self) -> tuple[str, str]:
        """Scheme and host by which the client reached us, also through a proxy that ends TLS.

        A page of https can reach nothing but https, so its origin tells where a proxy does not.
        """
        said = self.header(b"x-forwarded-proto").partition(b",")[0].strip().lower()
        is_secure = said == b"https" or self.scheme == "https" or (not said and self.header(b"origin")[:6] == b"https:")
        return "https" if is_secure else "http", self.header(b"host").decode("latin-1")

    def arguments(self) -> dict[str, str]:
        """The query's arguments, decoded; of one given twice the first."""
        return texts_of(arguments_of(self.query))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is answered. Length, CORS and Retry-After headers are added by the route."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def problem(_request: Request, error: RequestError) -> Answer:
    """The usual answer to a refused request: JSON with `code`, `message`, `detail` and `error`, which SDKs parse."""
    return Answer(status=error.status, body=msgspec.json.encode(error.problem()))


def _key_of_headers_and_query(request: Request) -> bytes:
    return standard_key(request.headers, request.query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One wire format. All functions are pure: same request, same result.

    `name`: its entry in `schemas.routes`, which holds its paths and methods, and its label in metrics.
    `read`: the events of a request; raises RequestError when it cannot be read as a whole.
    `answer`: what the client expects once every accepted event is durable. `refuse`: the same for a refused request.
    `key`: the write key in the request's headers, query or path, empty if it is not there; it is asked before there is
    a body. `key_in_body`: when it is empty, the body is read and `Submission.write_key` counts.
    `key_place`: where the key stands, in the client's own words; said to who sends none that is known.
    `prefers_spool`: this client sends once and never again, so an event goes to the spool rather than be answered 503.
    """

    name: RouteName
    read: Callable[[Request], Submission]
    answer: Callable[[Request, Submission, Verdicts], Answer]
    refuse: Callable[[Request, RequestError], Answer] = problem
    key: Callable[[Request], bytes] = _key_of_headers_and_query
    key_in_body: bool = False
    key_place: str = ""
    prefers_spool: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A side request of a client, answered in its own shape without any event: settings, flags, validation.

    `name` is as in Adapter. `serve` gets the request and a function that says whether a write key is known.
    """

    name: RouteName
    serve: Callable[[Request, Callable[[bytes], bool]], Answer]


Served = Adapter | Page
