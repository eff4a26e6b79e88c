"""How a customer without a browser reaches the shop and the collector: over HTTP, or by calling the application."""

from __future__ import annotations

from typing import Any, Final, Protocol

import aiohttp
import orjson
from starlette.types import ASGIApp

_SHOP: Final = "http://shop.example"


class Answer(Protocol):
    """What a request is answered: status, header Location, cookies set as (name, value), and the text."""

    status: int
    location: str
    cookies: list[tuple[str, str]]
    text: str


class _Answer:
    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.text = status, body.decode()
        self.location = next((value for name, value in headers if name == "location"), "")
        pairs = [value.split(";")[0].partition("=") for name, value in headers if name == "set-cookie"]
        self.cookies = [(name, value) for name, _, value in pairs]


class Transport(Protocol):
    """A way to the shop and to the collector."""

    base: str

    async def request(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request to the shop; redirects are not followed."""

    async def post_events(self, events: list[dict[str, Any]], agent: str) -> None:
        """Hand events to the collector, as the script on the page would."""


class InProcess:
    """Calls the shop's application; events are only kept, in `kept`, one list for each hand-over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self.base = app, _SHOP
        self.kept: list[dict[str, Any]] = []

    async def request(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """See Transport."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"shop.example"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
            "client": ("127.0.0.1", 1),
            "server": ("shop.example", 80),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        got = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        return _Answer(sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:]))

    async def post_events(self, events: list[dict[str, Any]], agent: str) -> None:
        """See Transport."""
        self.kept += [{**event, "user_agent": agent} for event in events]


class OverHttp:
    """The shop at `base` and the collector's address for events, by one `session`."""

    def __init__(self, session: aiohttp.ClientSession, base: str, endpoint: str) -> None:
        self._session, self.base, self._endpoint = session, base, endpoint

    async def request(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """See Transport."""
        address = self.base + target
        async with self._session.request(
            method, address, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            got = [(name.lower(), value) for name, value in answer.headers.items()]
            return _Answer(answer.status, got, await answer.read())

    async def post_events(self, events: list[dict[str, Any]], agent: str) -> None:
        """See Transport."""
        async with self._session.post(
            self._endpoint, data=orjson.dumps({"batch": events}), headers={"User-Agent": agent}
        ) as answer:
            answer.raise_for_status()
