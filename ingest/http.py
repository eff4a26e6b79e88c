"""The little of HTTP the collector needs, straight on ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

import msgspec

from ingest.budget import Budget
from ingest.refusal import RequestError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON: Final = b"application/json"

BODY_TIMEOUT_S: Final = 30.0  # the slowest phone uploads the default largest body at 1.4 Mbit/s in this time
RETRY_AFTER_S: Final = 2  # a broker's restart takes a few seconds; sooner would only repeat the refusal
_PREFLIGHT_MAX_AGE_S: Final = b"86400"  # browsers cap it themselves (Chrome at two hours)
_NO_CONTENT: Final = 204
_REQUEST_HEADERS: Final = b"authorization, content-encoding, content-type, x-write-key"


class DisconnectedError(Exception):
    """The client went away before its request was complete: there is no one to answer."""


def cors(origin: bytes) -> Headers:
    """Headers that let a page of `origin` read the answer.

    Beacons always carry credentials, and with them `*` is forbidden; so the origin is mirrored.
    """
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after"),
        (b"vary", b"origin"),
    ]


def preflight(asked_headers: bytes, methods: bytes) -> Headers:
    """What a browser asks before a request that is not simple; `asked_headers` is mirrored as well."""
    return [
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", asked_headers or _REQUEST_HEADERS),
        (b"access-control-max-age", _PREFLIGHT_MAX_AGE_S),
    ]


async def respond(
    send: Send, status: int, body: bytes, *, content_type: bytes = JSON, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Send one whole answer. One of status 204 has no body, and so neither type nor length of one (RFC 9110, 8.6)."""
    head = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))] if status != _NO_CONTENT else []
    head += headers
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def respond_problem(send: Send, error: RequestError, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send the JSON answer to a refused request."""
    extra = list(headers)
    if error.retry_after_s is not None:
        extra.append((b"retry-after", b"%d" % error.retry_after_s))
    await respond(send, error.status, msgspec.json.encode(error.problem()), headers=extra)


async def read_body(receive: Receive, declared: bytes | None, budget: Budget, max_bytes: int) -> bytes:
    """The request's body, its bytes taken from `budget`: the caller gives `len(body)` back.

    `declared` is the Content-Length header. Raises RequestError when it is larger than `max_bytes`, does not fit the
    budget, or takes longer than BODY_TIMEOUT_S; DisconnectedError when the client leaves. Nothing stays taken then.
    """
    if declared is not None and declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    # The first part comes with the headers or at once; without it nothing is held, so only the rest is timed.
    chunk, more = _part(await receive(), 0, budget, max_bytes)
    if not more:
        return chunk
    chunks = [chunk]
    taken = len(chunk)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while more:
                chunk, more = _part(await receive(), taken, budget, max_bytes)
                taken += len(chunk)
                chunks.append(chunk)
    except TimeoutError:
        budget.give(taken)
        raise RequestError("body_timeout", f"It took longer than {BODY_TIMEOUT_S:g} s.") from None
    except BaseException:
        budget.give(taken)
        raise
    return b"".join(chunks)


def _part(message: Message, taken: int, budget: Budget, max_bytes: int) -> tuple[bytes, bool]:
    """The bytes of a part, taken from `budget`, and whether more follow; `taken` bytes came before."""
    if message["type"] != "http.request":
        raise DisconnectedError
    chunk: bytes = message.get("body", b"")
    if taken + len(chunk) > max_bytes:
        raise _too_large(max_bytes)
    if not budget.take(len(chunk)):
        raise overloaded(budget)
    return chunk, message.get("more_body", False)


def overloaded(budget: Budget) -> RequestError:
    """The refusal of a request for which there is no room."""
    return RequestError("overloaded", f"{budget.used_bytes} bytes are in flight.", retry_after_s=RETRY_AFTER_S)


def _too_large(max_bytes: int) -> RequestError:
    return RequestError("body_too_large", f"The limit is {max_bytes} bytes.")
