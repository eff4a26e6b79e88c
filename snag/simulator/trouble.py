"""What goes wrong for a simulated visitor, so that every friction signal appears in the shop's traffic."""

from __future__ import annotations

from typing import Final

from snag.simulator.walk import Walk

HARD_CODES: Final = ("expired_card", "stolen_card")
SOFT_CODES: Final = ("insufficient_funds", "card_declined", "processing_error")
_TRIES: Final = 2


def page_trouble(walk: Walk) -> None:
    """An error of the site or of the form, as the visitor meets it."""
    roll = walk.rng.random()
    if roll < 0.4:
        walk.emit("js_error", {"error_type": "TypeError"}, "Cannot read properties of undefined")
    elif roll < 0.7:
        walk.emit("http_error", {"status": 500 if roll < 0.5 else 404, "request_path": f"/api{walk.path}"})
    else:
        for _ in range(1 + int(walk.rng.random() * 3)):
            walk.emit("form_error", {"form": "address", "field": "postcode"}, "Please check this field")
            walk.wait_ms(4000)


def page_friction(walk: Walk, before: str) -> None:
    """One of the frictions of a page, at random. `before` is the path the visitor came from."""
    kinds = (_dead_click, _thrashed_cursor, _lost_scroll, _slow_page, _slow_interaction, _jumping_page)
    chosen = int(walk.rng.random() * (len(kinds) + 1))
    if chosen == len(kinds):
        _circle(walk, before)
    else:
        kinds[chosen](walk)


def login(walk: Walk) -> None:
    """A returning customer's login: mostly at once, else after some tries or not at all."""
    walk.wait_ms(8000)
    if walk.rng.random() < walk.shop.login_trouble_rate:
        for _ in range(_TRIES + int(walk.rng.random() * 2)):
            walk.emit("login_failed", {"reason": "wrong_password"}, "Wrong password")
            walk.wait_ms(7000)
        if walk.rng.random() < 0.5:  # the other half goes on as a guest
            return
    walk.emit("login")


def registration(walk: Walk) -> None:
    """The way to the checkout leads through an account."""
    path = walk.path
    walk.view("/checkout/register")
    walk.wait_ms(9000)
    walk.view(path)


def refused_coupon(walk: Walk, money: dict[str, object]) -> None:
    """A code tried and refused."""
    walk.wait_ms(6000)
    walk.emit("coupon_denied", {**money, "coupon": "WELCOME10", "reason": "expired"})
    walk.wait_ms(3000)


def help_sought(walk: Walk) -> None:
    """The chat opened in the middle of the checkout."""
    walk.wait_ms(12_000)
    walk.emit("help_opened", {"channel": "chat"})
    walk.wait_ms(20_000)


def address_form(walk: Walk, *, sent: bool) -> None:
    """The address filled in; sent twice by some, left by others."""
    walk.emit("form_start", {"form": "address", "field": "name"})
    walk.wait_ms(9000)
    walk.emit("form_field", {"form": "address", "field": "postcode"})
    if not sent:
        return
    if walk.rng.random() < walk.shop.form_retry_rate:
        walk.emit("form_submit", {"form": "address"})
        walk.wait_ms(3000)
    walk.emit("form_submit", {"form": "address"})


def payment_refused(walk: Walk) -> None:
    """A card refused: softly by most banks."""
    hard = walk.rng.random() < walk.shop.hard_refusal_share
    codes = HARD_CODES if hard else SOFT_CODES
    code = codes[int(walk.rng.random() * len(codes))]
    props = {"error_type": "hard" if hard else "soft", "error_code": code, "payment_method": "card"}
    walk.emit("payment_failed", props, "The card was declined")


def _dead_click(walk: Walk) -> None:
    walk.click("div.size-table", props={"tag": "div", "effect_ms": None})


def _thrashed_cursor(walk: Walk) -> None:
    walk.emit("cursor_thrash", {"turns": 7, "acceleration": 0.013})


def _lost_scroll(walk: Walk) -> None:
    for n in range(9):
        walk.wait_ms(600)
        walk.emit("scroll", {"depth": 85 if n % 2 else 20})


def _slow_page(walk: Walk) -> None:
    walk.emit("web_vital", {"name": "LCP", "value": 4200 + int(walk.rng.random() * 5000)})


def _slow_interaction(walk: Walk) -> None:
    walk.emit("web_vital", {"name": "INP", "value": 520 + int(walk.rng.random() * 900)})


def _jumping_page(walk: Walk) -> None:
    walk.emit("web_vital", {"name": "CLS", "value": round(0.26 + walk.rng.random() / 2, 3)})


def _circle(walk: Walk, before: str) -> None:
    here = walk.path
    for path in (before, here, before, here):
        walk.wait_ms(6000 + int(walk.rng.random() * 4000))
        walk.view(path)
