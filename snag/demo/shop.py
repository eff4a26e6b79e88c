"""The shop: server-rendered pages, no framework in the browser, instrumented with nothing but Snag's own clients.

In the browser the script tag does the friction, and each page says by itself which typed calls it makes (`Guest.tell`).
On the server the Python SDK's middleware tells failing and slow answers with the visitor's session.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from snag.demo import checkout
from snag.demo.catalog import CURRENCY, PRODUCTS, find, search
from snag.demo.guest import COUPON
from snag.demo.store import SESSION_COOKIE, Page, Store
from snag.demo.switches import Switches
from snag_sdk.asgi import SnagMiddleware
from snag_sdk.events_api import EventsApi
from snag_sdk.requests_seen import Who

_STATIC: Final = Path(__file__).parent / "static"
_MOST_OF_ONE: Final = 20


def create_shop(*, script_tag: str, collector: str, client: EventsApi, switches: Switches) -> Starlette:
    """The shop's ASGI application. `script_tag` is the browser SDK's, served by `collector`; `client` the server's."""
    store = Store(script_tag, collector, switches, client)
    routes = [
        Route("/", store.page(_catalog)),
        Route("/search", store.page(_search)),
        Route("/product/{id}", store.page(_product)),
        Route("/cart", store.page(_cart)),
        Route("/cart/add", store.action(_add), methods=["POST"]),
        Route("/cart/change", store.action(_change), methods=["POST"]),
        Route("/cart/coupon", store.action(_coupon), methods=["POST"]),
        Route("/help", store.page(_help)),
        Route("/survey", store.action(_survey), methods=["POST"]),
        *checkout.routes(store),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SnagMiddleware, client=client, who=_who)],
        exception_handlers={404: store.page(_missing)},
    )


def _who(scope: Any) -> Who:
    """The browser's session, from the cookie that the shop's script sets."""
    cookie = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"), "")
    return Who(session_id=cookie_parser(cookie).get(SESSION_COOKIE))


def _catalog(_: Request, page: Page) -> Response:
    return page("catalog.html", products=PRODUCTS)


def _search(request: Request, page: Page) -> Response:
    query = request.query_params.get("q", "").strip()[:80]
    found = search(query)
    page.guest.tell("productsSearched", {"query": query, "results": len(found)})
    return page("search.html", query=query, products=found)


def _product(request: Request, page: Page) -> Response:
    product = find(request.path_params["id"])
    if product is None:
        return page("missing.html", status=404)
    page.guest.tell("productViewed", {"product_id": product.id, "value": product.price, "currency": CURRENCY})
    return page("product.html", product=product)


def _cart(_: Request, page: Page) -> Response:
    if page.guest.cart:
        page.guest.tell("cartViewed", page.guest.money(total=page.guest.value))
    return page("cart.html", coupon=COUPON)


def _add(form: dict[str, str], page: Page) -> Response:
    product = find(form.get("product", ""))
    if product is not None:
        cart = page.guest.cart
        cart[product.id] = min(cart.get(product.id, 0) + 1, _MOST_OF_ONE)
        told = {"product_id": product.id, "price": product.price, "quantity": 1, "value": product.price}
        page.guest.tell("productAdded", {**told, "currency": CURRENCY})
    return RedirectResponse("/cart", 303)


def _change(form: dict[str, str], page: Page) -> Response:
    product, cart = find(form.get("product", "")), page.guest.cart
    if product is not None and product.id in cart:
        quantity = form.get("quantity", "")
        wanted = min(int(quantity), _MOST_OF_ONE) if quantity.isascii() and quantity.isdigit() else 0
        if wanted:
            cart[product.id] = wanted
        else:
            told = {"product_id": product.id, "quantity": cart.pop(product.id), "value": product.price}
            page.guest.tell("productRemoved", {**told, "currency": CURRENCY})
    return RedirectResponse("/cart", 303)


def _coupon(form: dict[str, str], page: Page) -> Response:
    guest, code = page.guest, form.get("coupon", "").strip().upper()[:20]
    guest.tell("couponEntered", {"coupon_id": code})
    if code == COUPON and "coupon" not in page.store.switches:
        guest.coupon = code
        guest.tell("couponApplied", {"coupon_id": code, "discount": guest.discount})
        return RedirectResponse("/cart", 303)
    reason = "expired" if code == COUPON else "unknown"
    guest.tell("couponDenied", {"coupon_id": code, "reason": reason})
    guest.tell("cartViewed", guest.money(total=guest.value))
    return page("cart.html", coupon=COUPON, refused=code, why=reason, status=422)


def _help(_: Request, page: Page) -> Response:
    page.guest.tell("track", "help_opened", {"channel": "help"})
    return page("help.html", coupon=COUPON)


def _survey(form: dict[str, str], page: Page) -> Response:
    page.guest.tell("survey", form.get("survey", "")[:40], form.get("answer", "")[:40])
    return page("thanks.html")


def _missing(_: Request, page: Page) -> Response:
    return page("missing.html", status=404)
