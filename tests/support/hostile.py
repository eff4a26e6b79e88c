"""Requests as nobody should send them, for every route: made of the words that the adapters themselves know."""

from __future__ import annotations

import ast
import base64
import gzip
import re
import zlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import brotli
import msgspec
import zstandard
from hypothesis import strategies as st

import ingest.adapters
from schemas.event_types import EVENT_TYPES
from schemas.routes import ROUTES

KEY = "wk_local"
MAX_WORD_CHARS = 60


class HostileRequest(NamedTuple):
    """One request to a route."""

    route: str
    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes


@cache
def words() -> list[str]:
    """Every short text that stands in an adapter's source, and the event types: names of members, calls, items."""
    found = set(EVENT_TYPES)
    for folder in ingest.adapters.__path__:
        for path in Path(folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < MAX_WORD_CHARS:
                    found.add(node.value)
    return sorted(found)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _as_text(value: Any) -> str:
    return _json(value).decode()


_numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 1_760_000_000, 1_760_000_000_000, 1_760_000_000_000_000, 1e308]),
)
_texts = st.one_of(
    st.deferred(lambda: st.sampled_from(words())),
    st.text(max_size=20),
    st.sampled_from(
        ["2026-11-25T12:00:00Z", "https://a.example/b?c=d#e", "not a time", "1760000000000", "x" * 5000, KEY]
    ),
)
_scalars = st.one_of(st.none(), st.booleans(), _numbers, _texts)
values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(_texts, inner, max_size=8),
        inner.map(_as_text),  # JSON in a text, as Snowplow and Sentry have it
        inner.map(lambda value: base64.b64encode(_json(value)).decode()),
        inner.map(lambda value: base64.urlsafe_b64encode(_json(value)).rstrip(b"=").decode()),
    ),
    max_leaves=25,
)


def _form(members: dict[str, Any]) -> bytes:
    return b"&".join(b"%s=%s" % (_quoted(name), _quoted(value)) for name, value in members.items())


def _quoted(value: Any) -> bytes:
    text = value if isinstance(value, str) else _as_text(value)
    return b"".join(
        bytes([byte]) if byte in b"abcdefghijklmnopqrstuvwxyz_0123456789" else b"%%%02X" % byte
        for byte in text.encode("utf-8", "replace")
    )


_members = st.dictionaries(_texts, values, max_size=8)
_documents = st.one_of(
    values.map(_json),
    _members.map(_json),
    _members.map(_form),
    st.lists(_members.map(_json), max_size=6).map(b"\n".join),  # lines: NDJSON, envelopes
    st.binary(max_size=200),
    st.sampled_from([b"[" * 5000, b'{"a":' * 3000, b"\xff\xfe{}", b"\xef\xbb\xbf{}", b'{"a":1e999}', b"\x00" * 100]),
)


@st.composite
def damaged(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with something cut out, doubled or overwritten."""
    body = draw(source)
    at, to = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
    return body[:at] + draw(st.sampled_from([b"", body[at:to] * 2, b"\x00", b'"', b"}"])) + body[to:]


bodies = st.one_of(_documents, damaged(_documents)).flatmap(
    lambda body: st.sampled_from(
        [
            body,
            gzip.compress(body),
            zlib.compress(body),
            brotli.compress(body),
            zstandard.compress(body),
            base64.b64encode(body),
            gzip.compress(body)[:-3],
            gzip.compress(gzip.compress(body)),
        ]
    )
)
_HEADERS = (
    "content-type content-encoding authorization x-write-key origin user-agent cookie x-sentry-auth x-forwarded-for "
    "dnt sec-gpc referer accept sp-anonymous"
)
_header_names = st.sampled_from(_HEADERS.encode().split())
_header_values = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            *(b"application/json", b"text/plain", b"application/x-www-form-urlencoded", b"application/x-ndjson"),
            *(b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/reports+json"),
            *(b"application/csp-report", b"gzip", b"br", b"zstd", b"deflate", b"Basic !!!", b"1", b"null"),
            *(b"https://a.example", b"Sentry sentry_key=wk_local", b"Basic " + base64.b64encode(b"wk_local:")),
        ]
    ),
)


@st.composite
def requests(draw: st.DrawFn, route: str) -> HostileRequest:
    """A request to `route`; nearly always with a key that is known, wherever that format may carry it."""
    pattern = draw(st.sampled_from(ROUTES[route].paths))  # type: ignore[index]  # of the same table
    part = st.sampled_from([KEY, "1", "%00", "config.js", "a" * 300])
    path = re.sub(r"\{\w+\}", lambda _: draw(part), pattern)
    keyed = draw(st.integers(0, 9)) > 0
    query = draw(st.one_of(_members.map(_form), st.binary(max_size=60)))
    headers = draw(st.dictionaries(_header_names, _header_values, max_size=4))
    if keyed:
        query = b"writeKey=wk_local&sentry_key=wk_local&" + query
        headers.setdefault(b"x-write-key", KEY.encode())
    method = draw(st.sampled_from([*ROUTES[route].methods, *ROUTES[route].methods, "OPTIONS", "PUT"]))  # type: ignore[index]
    body = draw(bodies) if method == "POST" else b""
    return HostileRequest(route, method, path, query, headers, body)
