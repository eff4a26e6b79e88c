"""What one visitor does, from the first page to the last: a list of moments, without ids, dates or bytes."""

from __future__ import annotations

from math import log
from random import Random
from typing import Final

from snag.simulator import trouble
from snag.simulator.calibration import Calibration
from snag.simulator.shopper import Shopper
from snag.simulator.walk import Moment, Walk

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


def visit(rng: Random, shopper: Shopper, shop: Calibration) -> list[Moment]:
    """The moments of one visit, in the order of time. A bot only reads pages."""
    walk = Walk(rng, shopper.width_px, shop)
    if shopper.is_bot:
        _crawl(walk)
        return walk.moments
    walk.view("/" if rng.random() < 0.5 else _catalog_page(rng, shop))
    walk.dwell()
    if rng.random() < shop.catalog_rate:
        _browse(walk)
        if rng.random() < (shop.cart_rate_new if shopper.is_new else shop.cart_rate_returning):
            _buy(walk, is_new=shopper.is_new)
    walk.emit("page_leave")
    return walk.moments


def _catalog_page(rng: Random, shop: Calibration) -> str:
    if rng.random() < shop.product_share:
        return f"/p/{int(rng.random() * _PRODUCTS)}"
    return f"/c/{_CATEGORIES[int(rng.random() * len(_CATEGORIES))]}"


def _browse(walk: Walk) -> None:
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
            found = 0 if rng.random() < shop.empty_search_rate else 12
            walk.emit("search", {"query": _CATEGORIES[int(rng.random() * len(_CATEGORIES))], "results": found})
        if rng.random() < shop.page_error_rate:
            walk.wait_ms(300)
            trouble.page_trouble(walk)
        if rng.random() < shop.page_friction_rate:
            walk.wait_ms(2000)
            trouble.page_friction(walk, before)
        _click_about(walk)
        walk.dwell()


def _click_about(walk: Walk) -> None:
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


def _buy(walk: Walk, *, is_new: bool) -> None:
    """Into the cart and through the checkout, as far as this visitor gets."""
    rng, shop = walk.rng, walk.shop
    value = round(rng.lognormvariate(log(shop.basket_value), shop.basket_sigma), 2)
    total = round(value + shop.shipping_cost, 2)
    walk.view(f"/p/{int(rng.random() * _PRODUCTS)}")
    walk.dwell()
    walk.click("#add-to-cart")
    walk.wait_ms(150)
    walk.emit("product_added", {"value": value, "currency": "EUR"})
    walk.wait_ms(4000)
    walk.view("/cart")
    money: dict[str, object] = {"value": value, "total": total, "shipping": shop.shipping_cost, "currency": "EUR"}
    walk.emit("cart_viewed", money)
    outcomes = [rng.random() < rate for rate in shop.step_rates]
    buys = all(outcomes)
    for (step, path), goes_on, step_s in zip(CHECKOUT_STEPS, outcomes, shop.step_s, strict=True):
        walk.wait(step_s, shop.step_sigma)
        if rng.random() < (shop.survivor_trouble_rate if goes_on else shop.leaver_trouble_rate):
            trouble.page_trouble(walk)
            walk.wait_ms(5000)
        _obstacles(walk, step, money, goes_on=goes_on, is_new=is_new)
        if not goes_on:
            return
        if step == "shipping":
            money = money | {"value": total}
        if step == "payment" and rng.random() < (shop.survivor_trouble_rate if buys else shop.surprise_rate):
            money = money | {"total": round(total * shop.surprise_factor, 2)}
        walk.click("button.continue")
        walk.wait_ms(200)
        walk.view(path)
        walk.wait_ms(20)
        walk.emit(step, money)
        if step == "checkout_started" and not is_new:
            trouble.login(walk)


def _obstacles(walk: Walk, step: str, money: dict[str, object], *, goes_on: bool, is_new: bool) -> None:
    """What stands in the way before `step`; those who leave met it more often."""
    rng, shop = walk.rng, walk.shop
    rate = shop.survivor_trouble_rate if goes_on else shop.leaver_obstacle_rate
    if step == "shipping":
        trouble.address_form(walk, sent=goes_on)
        if is_new and rng.random() < rate:
            trouble.registration(walk)
    elif step == "payment" and rng.random() < rate:
        trouble.refused_coupon(walk, money)
    elif step == "order_completed":
        if rng.random() < rate:
            trouble.help_sought(walk)
        if not goes_on and rng.random() < shop.leaver_declined_rate:
            trouble.payment_refused(walk)


def _crawl(walk: Walk) -> None:
    for _ in range(5 + int(walk.rng.random() * 55)):
        walk.view(_catalog_page(walk.rng, walk.shop))
        walk.wait_ms(1000 + int(walk.rng.random() * 2000))
