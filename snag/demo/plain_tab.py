"""A customer's tab without a browser: the same pages and forms, and the same events as the script tag would send.

It is many times cheaper than a Chromium, so that a laptop can have a shop's worth of customers.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from snag.demo.controls import Seen, look_at
from snag.demo.store import SESSION_COOKIE
from snag.demo.transport import Transport

AGENTS: Final = {
    False: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    True: "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Mobile Safari/537.36",
}
"""User agents, by whether it is a phone."""

_TYPES: Final = {"paymentInfoEntered": "payment", "productsSearched": "search"}
_RAGE_CLICKS: Final = 4
_RAGE_GAP_S: Final = 0.25
_DEAD_AFTER_S: Final = 2.5  # as the script waits
_RENDER_MS: Final = 350  # what a browser takes to draw a page that is there


class PlainTab:
    """A tab over `transport`. `now` is Unix seconds, `sleep` waits: a clock of its own makes a visit of the past."""

    def __init__(
        self,
        transport: Transport,
        *,
        on_phone: bool,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._transport, self._agent = transport, AGENTS[on_phone]
        self._now, self._sleep = now, sleep
        self._session = str(uuid.uuid4())
        self._cookies = {SESSION_COOKIE: self._session}
        self._user: str | None = None
        self._last_s = 0.0
        self._waiting: list[dict[str, Any]] = []
        self._target, self._referrer, self._shown_at = "", "", 0.0
        self._page: Seen = look_at("")
        self._text = ""

    async def open(self, path: str) -> None:
        """See Tab."""
        await self._load("GET", path, b"")

    async def path(self) -> str:
        """See Tab."""
        return urlsplit(self._target).path

    async def has(self, control: str) -> bool:
        """See Tab."""
        return f'id="{control}"' in self._text

    async def follow(self, control: str) -> None:
        """See Tab."""
        if control in self._page.links:
            self._click("a", control, href=self._transport.base + self._page.links[control])
            await self._load("GET", self._page.links[control], b"")
        else:
            await self.send(control)

    async def send(self, control: str, **fields: str) -> None:
        """See Tab."""
        button = self._page.buttons[control]
        form = button.form
        if fields and form.id != "search":
            self._tell("form_start", {"form": form.id, "field": next(iter(fields))})
            for name in fields:
                self._tell("form_field", {"form": form.id, "field": name})
        self._click("button", control)
        if button.does == "throws":
            self._tell("js_error", {"error_type": "TypeError"}, kind="error", message=_THROWN)
        if button.does != "sends":
            await self._no_effect(control, dead=button.does == "nothing")
            return
        self._tell("form_submit", {"form": form.id}, element=f"form#{form.id}")
        sent = urlencode({**form.fields, **fields})
        if form.method == "post":
            await self._load("POST", form.action, sent.encode())
        else:
            await self._load("GET", f"{form.action}?{sent}" if sent else form.action, b"")

    async def rage(self, control: str) -> None:
        """See Tab."""
        for _ in range(_RAGE_CLICKS):
            self._click("button" if control else "h1", control)
            await self._sleep(_RAGE_GAP_S)
            if control and self._page.buttons[control].does == "throws":
                self._tell("js_error", {"error_type": "TypeError"}, kind="error", message=_THROWN)

    async def think(self, seconds: float) -> None:
        """See Tab."""
        await self._sleep(seconds)

    async def leave(self) -> None:
        """See Tab."""
        if self._target:
            self._leave_page()
            await self._flush()

    async def _load(self, method: str, target: str, body: bytes) -> None:
        self._leave_page()
        began = self._now()
        headers = {"User-Agent": self._agent, "Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = await self._transport.request(method, target, headers, body)
        self._cookies |= answer.cookies
        while answer.status == 303:
            target = answer.location
            headers = {"User-Agent": self._agent, "Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
            answer = await self._transport.request("GET", target, headers, b"")
        self._referrer, self._target = self._address() if self._target else "", target
        self._text, self._page, self._shown_at = answer.text, look_at(answer.text), self._now()
        self._show(self._shown_at - began)
        await self._flush()

    def _show(self, waited_s: float) -> None:
        """What the script tells of a page that is there."""
        self._tell("page_view")
        for method, *arguments in self._page.calls:
            self._call(method, arguments)
        for form in self._page.forms:
            for name in form.wrong:
                told = {"form": form.id, "field": name}
                self._tell("form_error", told, kind="error", element=f"input#{name}", message="aria-invalid")
        lcp_ms = round(waited_s * 1000) + _RENDER_MS
        self._tell("web_vital", {"name": "LCP", "value": lcp_ms, "id": str(uuid.uuid4())})

    def _call(self, method: str, arguments: list[Any]) -> None:
        match method:
            case "track":
                self._tell(arguments[0], arguments[1], **(arguments[2] if len(arguments) > 2 else {}))
            case "identify":
                self._user = arguments[0]
                self._tell("identify")
            case "survey":
                self._tell("survey_answered", {"survey": arguments[0], "answer": arguments[1]})
            case _:
                self._tell(_TYPES.get(method) or re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", method), *arguments)

    def _leave_page(self) -> None:
        if self._target:
            self._tell("page_leave", {"visible_ms": round((self._now() - self._shown_at) * 1000)})

    def _click(self, tag: str, control: str, **props: str) -> None:
        element = f"{tag}#{control}" if control else tag
        place = sum(element.encode())  # some place, the same for the same control
        self._tell("click", {"tag": tag, **props}, element=element, x=100 + place % 600, y=100 + place % 450)

    async def _no_effect(self, control: str, *, dead: bool) -> None:
        await self._sleep(_DEAD_AFTER_S)
        if dead:
            self._tell("dead_click", {"tag": "button", "effect_ms": None}, element=f"button#{control}")

    def _address(self) -> str:
        return self._transport.base + self._target

    def _tell(self, type_: str, props: dict[str, Any] | None = None, **fields: Any) -> None:
        event = {
            "event_id": str(uuid.uuid4()),
            "type": type_,
            "ts": datetime.fromtimestamp(self._moment_s(), UTC).isoformat(timespec="milliseconds"),
            "session_id": self._session,
            "user_id": self._user,
            "url": self._address(),
            "title": self._page.title,
            "referrer": self._referrer or None,
            "props": {name: value for name, value in (props or {}).items() if value is not None or name == "effect_ms"},
            **fields,
        }
        self._waiting.append({name: value for name, value in event.items() if value is not None})

    def _moment_s(self) -> float:
        """Now, but no two events at the same millisecond: their order means something."""
        self._last_s = max(self._now(), self._last_s + 0.001)
        return self._last_s

    async def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            await self._transport.post_events(waiting, self._agent)


_THROWN: Final = "Cannot read properties of undefined (reading 'lines')"
