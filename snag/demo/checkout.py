"""The checkout: account, delivery, payment, thanks. What a delivery costs is said at the payment: the late cost."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from typing import Any, Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from snag.demo.cards import ProcessorUnreachable, charge, is_card_number
from snag.demo.guest import SHIPPING
from snag.demo.store import Page, Shown, Store

LOGIN: Final = ("ada@example.com", "kettle")
SLOW_S: Final = 6.0  # longer than the 4 s after which a page's main content counts as late
_SHORTEST_PASSWORD: Final = 6
_ADDRESS: Final = ("name", "street", "zip", "city")


def routes(store: Store) -> list[Route]:
    """The checkout's routes."""
    pages = {"/checkout": _account, "/checkout/shipping": _shipping, "/checkout/payment": _payment}
    actions: dict[str, Callable[[dict[str, str], Page], Shown]] = {
        "/checkout/guest": _as_guest,
        "/checkout/login": _login,
        "/checkout/register": _register,
        "/checkout/shipping": _ship,
        "/checkout/payment": _pay,
    }
    return [
        *(Route(path, store.page(show)) for path, show in pages.items()),
        *(Route(path, store.action(act), methods=["POST"]) for path, act in actions.items()),
        Route("/checkout/done", store.page(_done)),
    ]


def _account(_: object, page: Page) -> Response:
    guest = page.guest
    if not guest.cart:
        return RedirectResponse("/cart", 303)
    if not guest.checkout_id:
        guest.checkout_id = f"c-{secrets.token_hex(6)}"
        guest.tell("checkoutStarted", guest.money(total=guest.value))
    if guest.account:
        return RedirectResponse("/checkout/shipping", 303)
    if "forced-registration" in page.store.switches:
        guest.tell("track", "registration_required", {"step": "account"})
    return page("account.html", wrong={}, given={})


def _as_guest(form: dict[str, str], page: Page) -> Response:
    if "forced-registration" in page.store.switches:
        return RedirectResponse("/checkout", 303)
    email = form.get("email", "").strip()
    if "@" not in email:
        return page("account.html", wrong={"email": "An e-mail address has an @ in it."}, given=form, status=422)
    return _known_as(page, email, "guest checkout")


def _login(form: dict[str, str], page: Page) -> Response:
    email = form.get("login_email", "").strip()
    if (email, form.get("password", "")) != LOGIN:
        page.guest.tell("track", "login_failed", {"reason": "wrong_password"}, {"kind": "error"})
        wrong = {"password": "E-mail address and password do not belong together."}
        return page("account.html", wrong=wrong, given=form, status=401)
    page.guest.tell("track", "login", {"method": "password"})
    return _known_as(page, email, "existing user")


def _register(form: dict[str, str], page: Page) -> Response:
    email, password = form.get("new_email", "").strip(), form.get("new_password", "")
    wrong = {}
    if "@" not in email:
        wrong["new_email"] = "An e-mail address has an @ in it."
    if len(password) < _SHORTEST_PASSWORD:
        wrong["new_password"] = f"A password has {_SHORTEST_PASSWORD} characters or more."
    if wrong:
        return page("account.html", wrong=wrong, given=form, status=422)
    return _known_as(page, email, "new user")


def _known_as(page: Page, email: str, account_type: str) -> Response:
    guest = page.guest
    guest.account, guest.email = account_type, email
    if account_type != "guest checkout":
        guest.tell("identify", "user-" + hashlib.sha256(email.encode()).hexdigest()[:12])
    guest.tell("checkoutStepCompleted", guest.money(step="account", account_type=account_type))
    return RedirectResponse("/checkout/shipping", 303)


def _shipping(_: object, page: Page) -> Response:
    if not (page.guest.cart and page.guest.account):
        return RedirectResponse("/checkout", 303)
    return page("shipping.html", wrong={}, given={}, methods=SHIPPING)


async def _ship(form: dict[str, str], page: Page) -> Response:
    guest = page.guest
    if not (guest.cart and guest.account):
        return RedirectResponse("/checkout", 303)
    if "slow-shipping" in page.store.switches:
        await asyncio.sleep(SLOW_S)
    wrong = {field: "This is needed for the parcel." for field in _ADDRESS if not form.get(field, "").strip()}
    if wrong:
        return page("shipping.html", wrong=wrong, given=form, methods=SHIPPING, status=422)
    method = form.get("method", "")
    guest.shipping = method if method in SHIPPING else "standard"
    guest.tell(
        "checkoutStepCompleted",
        guest.money(step="shipping", shipping_method=guest.shipping, account_type=guest.account),
    )
    return RedirectResponse("/checkout/payment", 303)


def _payment(_: object, page: Page) -> Response:
    guest = page.guest
    if not (guest.cart and guest.shipping):
        return RedirectResponse("/checkout", 303)
    guest.tell("checkoutStepViewed", guest.money(step="payment"))
    return page("payment.html", wrong={}, refused="")


def _pay(form: dict[str, str], page: Page) -> Response:
    guest = page.guest
    if not (guest.cart and guest.shipping):
        return RedirectResponse("/checkout", 303)
    number = form.get("number", "").replace(" ", "").replace("-", "")
    if not is_card_number(number):
        return page("payment.html", wrong={"number": "This is no card number."}, refused="", status=422)
    told: dict[str, Any] = guest.money(payment_method="card", shipping=guest.shipping_cost, total=guest.total)
    guest.tell("paymentInfoEntered", told)
    try:
        refusal = charge(number, reachable="payment" not in page.store.switches)
    except ProcessorUnreachable as error:
        page.store.client.capture_exception(error, session_id=page.session_id, url=str(page.request.url))
        guest.tell("paymentFailed", {**told, "error_type": "soft", "error_code": "processing_error"})
        return page("payment.html", wrong={}, refused="We cannot reach the bank just now.", status=502)
    if refusal is not None:
        guest.tell("paymentFailed", {**told, "error_type": refusal.kind, "error_code": refusal.code})
        return page("payment.html", wrong={}, refused=refusal.message, status=402)
    order = {"id": f"o-{secrets.token_hex(4)}", "total": guest.total, "lines": guest.lines, "email": guest.email}
    guest.order = order
    guest.tell("orderCompleted", {**told, "order_id": order["id"], "coupon": guest.coupon or None})
    guest.cart, guest.coupon, guest.shipping, guest.checkout_id = {}, "", "", ""
    return RedirectResponse("/checkout/done", 303)


def _done(_: object, page: Page) -> Response:
    if not page.guest.order:
        return RedirectResponse("/", 303)
    return page("done.html", order=page.guest.order)
