"""What the shop's pages share: who asks, the template, the forms, and the calls that a page makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from snag.demo.guest import Guest, Guests
from snag.demo.switches import Switches
from snag_sdk.events_api import EventsApi

SESSION_COOKIE: Final = "snag_session"
"""The browser SDK's session, which the shop's own script hands to the server."""

_GUEST_COOKIE: Final = "shop"
_MOST_FORM_BYTES: Final = 10_000

Endpoint = Callable[..., Awaitable[Response]]


class Page:
    """One request of one customer. Called with a template's name it renders it, with the calls that wait."""

    def __init__(self, store: Store, guest: Guest, request: Request) -> None:
        self.store, self.guest, self.request = store, guest, request

    @property
    def session_id(self) -> str | None:
        """The browser SDK's session, once the customer's browser has told it."""
        return self.request.cookies.get(SESSION_COOKIE)

    def __call__(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """The page of `template` with `context`."""
        broken = self.store.switches
        html = self.store.templates.get_template(template).render(
            guest=self.guest,
            broken=broken,
            snag=self.store.script_tag,
            here=self.request.url.path,
            calls=self.guest.take_calls(),
            **context,
        )
        return HTMLResponse(html, status, {"Content-Security-Policy": self.store.policy})


Shown = Response | Awaitable[Response]


class Store:
    """The shop's shelves: templates, customers, switches, and the Python SDK's `client`."""

    def __init__(self, script_tag: str, collector: str, switches: Switches, client: EventsApi) -> None:
        self.script_tag, self.switches, self.client = script_tag, switches, client
        self.policy = (
            f"default-src 'self'; script-src 'self' {collector}; connect-src 'self' {collector}; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        self._guests = Guests()
        self.templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "pages"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["euro"] = lambda amount: f"€ {amount:.2f}"

    def page(self, show: Callable[[Request, Page], Shown]) -> Endpoint:
        """A page that is read."""

        async def endpoint(request: Request, _: Exception | None = None) -> Response:
            name, guest = self._guests.of(request.cookies.get(_GUEST_COOKIE))
            return _known(await _done(show(request, Page(self, guest, request))), name)

        return endpoint

    def action(self, act: Callable[[dict[str, str], Page], Shown]) -> Endpoint:
        """A form that is sent: `act` gets its fields. A form of another site's page is turned away."""

        async def endpoint(request: Request) -> Response:
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MOST_FORM_BYTES:
                    return Response("This form is too long.", 413)
            if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return Response("This form comes from another site.", 403)
            name, guest = self._guests.of(request.cookies.get(_GUEST_COOKIE))
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            return _known(await _done(act(form, Page(self, guest, request))), name)

        return endpoint


async def _done(shown: Shown) -> Response:
    return shown if isinstance(shown, Response) else await shown


def _known(response: Response, name: str) -> Response:
    response.set_cookie(_GUEST_COOKIE, name, httponly=True, samesite="lax")
    return response
