"""Where a request says whose it is, and what the keys' table makes of it."""

from __future__ import annotations

import base64

import pytest

from ingest.adapters.credentials import standard_key
from ingest.keys import WriteKeys


def basic(user: str) -> bytes:
    return b"Basic " + base64.b64encode(user.encode())


@pytest.mark.parametrize(
    ("authorization", "x_write_key", "query", "site"),
    [
        (basic("k1:"), b"", b"", "one"),
        (basic("k2"), b"", b"", "two"),
        (basic("k1:password"), b"", b"", "one"),
        (b"basic  " + base64.b64encode(b"k1:"), b"", b"", "one"),
        (b"Bearer k1", b"", b"", "one"),
        (b"", b" k1 ", b"", "one"),
        (b"", b"", b"writeKey=k2", "two"),
        (b"", b"", b"write_key=k2", "two"),
        (b"", b"", b"a=b&writeKey=k%31&c=d", "one"),
        (basic("wrong:"), b"k1", b"writeKey=k1", None),
        (b"Digest k1", b"", b"", None),
        (b"Basic !!!", b"k1", b"", None),
        (b"Basic", b"k1", b"", None),
        (b"", b"wrong", b"", None),
        (b"", b"", b"writeKey=", None),
        (b"", b"", b"writekey=k1", None),
        (b"", b"", b"", None),
    ],
)
def test_the_site_of_a_request(authorization: bytes, x_write_key: bytes, query: bytes, site: str | None) -> None:
    given = {b"authorization": authorization, b"x-write-key": x_write_key}
    headers = {name: value for name, value in given.items() if value}
    assert WriteKeys({"k1": "one", "k2": "two"}).site(standard_key(headers, query)) == site


def test_a_key_is_compared_as_bytes() -> None:
    keys = WriteKeys({"schlüssel": "one"})
    assert keys.site("schlüssel".encode()) == "one"
    assert keys.site(b"\xff\xfe") is None
