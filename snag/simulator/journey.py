"""What one visitor does, from the first page to the last: a list of moments, without ids, dates or bytes."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from random import Random
from typing import Any, Final, NamedTuple

from snag.simulator.calibration import Calibration
from snag.simulator.shopper import Shopper

CHECKOUT_STEPS: Final = (
    ("checkout_started", "/checkout"),
    ("shipping", "/checkout/shipping"),
    ("payment", "/checkout/payment"),
    ("order_completed", "/checkout/done"),
)
"""The funnel's steps after product_added, each with the page it happens on."""

_ELEMENTS: Final = ("#add-to-cart", "nav > a.category", "button.filter", "img.zoom", "a.size-guide", "button.sort")
_CATEGORIES: Final = ("shoes", "jackets", "bags", "sale")
_PRODUCTS: Final = 500
_PAGE_HEIGHT_PX: Final = 2400


class Moment(NamedTuple):
    """One thing a visitor did, `at_ms` after arriving."""

    at_ms: int
    type: str
    path: str
    element: str = ""
    x: int = 0
    y: int = 0
    props: Mapping[str, Any] | None = None
    message: str = ""


def visit(rng: Random, shopper: Shopper, shop: Calibration) -> list[Moment]:
    """The moments of one visit, in the order of time. A bot only reads pages."""
    walk = _Walk(rng, shopper.width_px, shop)
    if shopper.is_bot:
        _crawl(walk)
        return walk.moments
    walk.view("/" if rng.random() < 0.5 else _catalog_page(rng, shop))
    walk.dwell()
    if rng.random() < shop.catalog_rate:
        _browse(walk)
        if rng.random() < (shop.cart_rate_new if shopper.is_new else shop.cart_rate_returning):
            _buy(walk)
    walk.emit("page_leave")
    return walk.moments


class _Walk:
    """A visitor on the way: the clock, the page, and what happened so far."""

    def __init__(self, rng: Random, width_px: int, shop: Calibration) -> None:
        self.rng = rng
        self.shop = shop
        self.moments: list[Moment] = []
        self.path = "/"
        self._width_px = width_px
        self._at_ms = 0

    def emit(self, type_: str, props: Mapping[str, Any] | None = None, message: str = "") -> None:
        self.moments.append(Moment(self._at_ms, type_, self.path, props=props, message=message))

    def view(self, path: str) -> None:
        self.path = path
        self.emit("page_view")

    def wait_ms(self, ms: int) -> None:
        self._at_ms += ms

    def wait(self, median_s: float, sigma: float) -> None:
        self._at_ms += 1 + int(1000 * self.rng.lognormvariate(log(median_s), sigma))

    def dwell(self) -> None:
        self.wait(self.shop.dwell_s, self.shop.dwell_sigma)

    def click(self, element: str, times: int = 1) -> None:
        """`times` clicks on one spot, as fast as an annoyed hand goes."""
        x, y = int(self.rng.random() * self._width_px), int(self.rng.random() * _PAGE_HEIGHT_PX)
        for _ in range(times):
            self.moments.append(Moment(self._at_ms, "click", self.path, element, x, y))
            if times > 1:
                self._at_ms += 120 + int(self.rng.random() * 230)
                x += int(self.rng.random() * 4)

    def trouble(self) -> None:
        """An error of the site or of the form, as the visitor meets it."""
        roll = self.rng.random()
        if roll < 0.4:
            self.emit("js_error", {"error_type": "TypeError"}, "Cannot read properties of undefined")
        elif roll < 0.7:
            self.emit("http_error", {"status": 500 if roll < 0.5 else 404, "request_path": f"/api{self.path}"})
        else:
            self.emit("form_error", {"field": "postcode"}, "Please check this field")


def _catalog_page(rng: Random, shop: Calibration) -> str:
    if rng.random() < shop.product_share:
        return f"/p/{int(rng.random() * _PRODUCTS)}"
    return f"/c/{_CATEGORIES[int(rng.random() * len(_CATEGORIES))]}"


def _browse(walk: _Walk) -> None:
    rng, shop = walk.rng, walk.shop
    pages = min(shop.pages_max, max(1, round(rng.lognormvariate(log(shop.pages_median), shop.pages_sigma))))
    for _ in range(pages):
        before = walk.path
        walk.view(_catalog_page(rng, shop))
        if walk.path.startswith("/p/"):
            walk.emit("product_viewed", {"product_id": walk.path[3:]})
        if rng.random() < shop.quick_back_rate and before != walk.path:
            walk.wait_ms(1500 + int(rng.random() * 2500))
            walk.view(before)
        if rng.random() < shop.search_rate:
            walk.wait_ms(2000)
            walk.emit("search", {"query": _CATEGORIES[int(rng.random() * len(_CATEGORIES))]})
        if rng.random() < shop.page_error_rate:
            walk.wait_ms(300)
            walk.trouble()
        _click_about(walk)
        walk.dwell()


def _click_about(walk: _Walk) -> None:
    rng, shop = walk.rng, walk.shop
    element = _ELEMENTS[int(rng.random() * len(_ELEMENTS))]
    roll = rng.random()
    if roll < shop.rage_click_rate:
        walk.wait_ms(3000)
        walk.click(element, times=3 + int(rng.random() * 4))
    elif roll < shop.rage_click_rate + shop.error_click_rate:
        walk.wait_ms(3000)
        walk.click(element)
        walk.wait_ms(50 + int(rng.random() * 700))
        walk.emit("js_error", {"error_type": "TypeError"}, f"{element} handler failed")
    elif roll < shop.click_rate:
        walk.wait_ms(2000 + int(rng.random() * 6000))
        walk.click(element)


def _buy(walk: _Walk) -> None:
    """Into the cart and through the checkout, as far as this visitor gets."""
    rng, shop = walk.rng, walk.shop
    value = round(rng.lognormvariate(log(shop.basket_value), shop.basket_sigma), 2)
    walk.view(f"/p/{int(rng.random() * _PRODUCTS)}")
    walk.dwell()
    walk.click("#add-to-cart")
    walk.wait_ms(150)
    walk.emit("product_added", {"value": value, "currency": "EUR"})
    walk.wait_ms(4000)
    walk.view("/cart")
    walk.emit("cart_viewed", {"value": value, "currency": "EUR"})
    for (step, path), rate, step_s in zip(CHECKOUT_STEPS, shop.step_rates, shop.step_s, strict=True):
        walk.wait(step_s, shop.step_sigma)
        goes_on = rng.random() < rate
        if rng.random() < (shop.survivor_trouble_rate if goes_on else shop.leaver_trouble_rate):
            walk.trouble()
            walk.wait_ms(5000)
        if step == "order_completed" and not goes_on and rng.random() < shop.leaver_declined_rate:
            walk.emit("payment_failed", {"error_type": "card_declined"}, "The card was declined")
        if not goes_on:
            return
        if step == "shipping":
            value = round(value + shop.shipping_cost, 2)
        walk.click("button.continue")
        walk.wait_ms(200)
        walk.view(path)
        walk.wait_ms(20)
        walk.emit(step, {"value": value, "currency": "EUR"})


def _crawl(walk: _Walk) -> None:
    for _ in range(5 + int(walk.rng.random() * 55)):
        walk.view(_catalog_page(walk.rng, walk.shop))
        walk.wait_ms(1000 + int(walk.rng.random() * 2000))
