"""Arguments of queries and forms."""

from __future__ import annotations

from ingest.adapters.bodies import json_of
from ingest.adapters.credentials import query_key
from ingest.adapters.form import arguments_of
from tests.support.wire import request


def test_arguments() -> None:
    assert arguments_of(b"a=1&b=x+y%20z&a=2&c=&d&=e&f=g=h") == {
        b"a": b"1",
        b"b": b"x y z",
        b"c": b"",
        b"": b"e",
        b"f": b"g=h",
    }
    assert arguments_of(b"") == {}


def test_what_is_no_ascii_and_no_utf8_is_still_an_argument() -> None:
    assert arguments_of("a=é&b=%C3%A9&c=%ff&%ff=d".encode()) == {
        b"a": "é".encode(),
        b"b": "é".encode(),
        b"c": b"\xff",
        b"\xff": b"d",
    }
    assert query_key(b"x=%ff&writeKey=wk", b"writeKey") == b"wk"
    assert request("/i", method="GET", query="a=%ff&b=%C3%A9").arguments() == {"a": "\ufffd", "b": "é"}


def test_a_form_may_hold_json_that_is_not_ascii() -> None:
    assert json_of(request("/v1/batch", b"data=%7B%22a%22%3A%22%C3%A9%22%7D")) == '{"a":"é"}'.encode()
