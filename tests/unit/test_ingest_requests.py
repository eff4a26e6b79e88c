"""Paths, keys, compressed bodies and the reading of bodies."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Sequence

import brotli
import pytest
import zstandard

from ingest import http
from ingest.budget import Budget
from ingest.http import DisconnectedError, Message, Receive, read_body
from ingest.inflate import inflate
from ingest.paths import path_of
from ingest.refusal import RequestError

PLAIN = b'{"type":"page_view"}'
LIMIT = 1000


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://shop.example/cart", "/cart"),
        ("https://shop.example/cart?a=b#c", "/cart"),
        ("https://shop.example/cart#a?b", "/cart"),
        ("https://shop.example", "/"),
        ("https://shop.example?next=/a/b", "/"),
        ("//shop.example/cart", "/cart"),
        ("/cart/?next=https://a.example/b", "/cart/"),
        ("https://shop.example/a://b/c", "/a://b/c"),
        ("about:blank", ""),
        ("cart.html", ""),
        ("http://[::1", "/"),
    ],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (PLAIN, b""),
        (PLAIN, b"identity"),
        (PLAIN, b"gzip"),  # a proxy undid it
        (gzip.compress(PLAIN), b""),  # an SDK forgot to say so
        (gzip.compress(PLAIN), b"gzip"),
        (gzip.compress(PLAIN[:5]) + gzip.compress(PLAIN[5:]), b"GZIP"),
        (zlib.compress(PLAIN), b"deflate"),
        (zlib.compress(PLAIN), b""),
        (zstandard.compress(PLAIN), b""),
        (zstandard.compress(PLAIN), b"zstd"),
        (zstandard.compress(PLAIN[:5]) + zstandard.compress(PLAIN[5:]), b"zstd"),
        (zstandard.ZstdCompressor(write_content_size=False).compress(PLAIN), b"zstd"),
        (brotli.compress(PLAIN), b"br"),
        (PLAIN, b"br"),
        (PLAIN, b"deflate"),
        (PLAIN, b"zstd"),
    ],
)
def test_compressed_bodies_are_inflated(body: bytes, encoding: bytes) -> None:
    assert inflate(body, encoding, LIMIT) == PLAIN


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_streams_one_behind_the_other_are_one_body(compress: Callable[[bytes], bytes]) -> None:
    assert inflate(compress(b"1234567") * 100, b"", LIMIT) == b"1234567" * 100


def test_deflate_without_its_header_is_inflated() -> None:
    stream = zlib.compressobj(wbits=-15)
    assert inflate(stream.compress(PLAIN) + stream.flush(), b"deflate", LIMIT) == PLAIN


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (gzip.compress(b"[" * 10_000_000), b"gzip", "body_too_large"),
        (gzip.compress(b"x" * 600) * 2, b"gzip", "body_too_large"),
        (zlib.compress(b"x" * 1001), b"deflate", "body_too_large"),
        (gzip.compress(PLAIN)[:-9], b"gzip", "invalid_encoding"),
        (b"\x1f\x8bnonsense", b"gzip", "invalid_encoding"),
        (b"nonsense", b"deflate", "invalid_encoding"),
        (brotli.compress(b"x" * 10_000_000), b"br", "body_too_large"),
        (brotli.compress(PLAIN)[:-2], b"br", "invalid_encoding"),
        (b"nonsense", b"br", "invalid_encoding"),
        (zstandard.compress(b"x" * 10_000_000), b"", "body_too_large"),
        (zstandard.compress(b"x" * 600) * 2, b"", "body_too_large"),
        (zstandard.compress(PLAIN)[:-2], b"zstd", "invalid_encoding"),
        (b"\x28\xb5\x2f\xfd", b"zstd", "invalid_encoding"),
        (b"\x28\xb5\x2f\xfdnonsense", b"", "invalid_encoding"),
        (gzip.compress(b"") * 1000, b"", "invalid_encoding"),  # 5 MB of such empty streams would take 20 s
        (zstandard.compress(b"") * 1000, b"", "invalid_encoding"),  # 50 s
        (b"nonsense", b"compress", "unsupported_encoding"),
        (b"nonsense", b"gzip, br", "unsupported_encoding"),
    ],
)
def test_damaged_or_endless_streams_are_refused(body: bytes, encoding: bytes, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        inflate(body, encoding, LIMIT)
    assert caught.value.code == code


def receiver(messages: Sequence[Message]) -> Receive:
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return receive


def chunk(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_read_and_its_bytes_are_taken() -> None:
    budget = Budget(100)
    body = await read_body(receiver([chunk(b"ab", more=True), chunk(b"cd")]), b"4", budget, 10)
    assert (body, budget.used_bytes) == (b"abcd", 4)


@pytest.mark.parametrize(
    ("messages", "declared", "code"),
    [
        ([], b"11", "body_too_large"),
        ([chunk(b"x" * 11)], None, "body_too_large"),
        ([chunk(b"x" * 6, more=True), chunk(b"x" * 5, more=True)], None, "body_too_large"),
        ([chunk(b"x" * 4, more=True), chunk(b"x" * 4)], None, "overloaded"),
        ([chunk(b"x", more=True)], None, "body_timeout"),
    ],
)
async def test_a_body_that_is_refused_leaves_nothing_taken(
    monkeypatch: pytest.MonkeyPatch, messages: list[Message], declared: bytes | None, code: str
) -> None:
    monkeypatch.setattr(http, "BODY_TIMEOUT_S", 0.01)
    budget = Budget(7) if code == "overloaded" else Budget(100)
    with pytest.raises(RequestError) as caught:
        await read_body(receiver(messages), declared, budget, 10)
    assert (caught.value.code, budget.used_bytes) == (code, 0)


async def test_a_client_that_leaves_leaves_nothing_taken() -> None:
    budget = Budget(100)
    with pytest.raises(DisconnectedError):
        await read_body(receiver([chunk(b"x", more=True), {"type": "http.disconnect"}]), None, budget, 10)
    assert budget.used_bytes == 0
