"""What a customer does in the shop, the same in a real browser and without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from snag.demo.cards import GOOD_CARD
from snag.demo.checkout import LOGIN
from snag.demo.intent import Intent

_ADDRESS: Final = {"name": "Ada Example", "street": "Kettle Lane 4", "zip": "10115", "city": "Berlin"}
_SOON_S: Final = 4.0  # a page that takes longer tries people's patience
_MOST_CARDS: Final = 2


class Tab(Protocol):
    """A browser's tab. Controls are named by their id."""

    async def open(self, path: str) -> None:
        """Type an address of the shop."""

    async def path(self) -> str:
        """Where the tab is."""

    async def has(self, control: str) -> bool:
        """Whether the page has this link or button."""

    async def follow(self, control: str) -> None:
        """Click on a link or a button and wait for what comes of it, if anything does."""

    async def send(self, control: str, **fields: str) -> None:
        """Fill in the fields of a form by their ids and click on its button."""

    async def rage(self, control: str) -> None:
        """Click again and again on something that does nothing."""

    async def think(self, seconds: float) -> None:
        """Read, or look for the card."""

    async def leave(self) -> None:
        """Close the tab."""


async def walk(tab: Tab, intent: Intent, now: Callable[[], float] = time.monotonic) -> str:
    """Visit the shop. Returns "ordered", or where it ended: "left at payment". `now`: seconds, for impatience."""
    try:
        return await _Walk(tab, intent, now).whole()
    finally:
        await tab.leave()


class _Walk:
    def __init__(self, tab: Tab, intent: Intent, now: Callable[[], float]) -> None:
        self._tab, self._intent, self._now = tab, intent, now

    async def whole(self) -> str:
        for step in (self._catalog, self._product, self._cart, self._account, self._shipping, self._payment):
            if not await step():
                return f"left at {step.__name__[1:]}"
        if self._intent.answers:
            await self._tab.think(2)
            await self._tab.send("answer")
        return "ordered"

    async def _stays(self, step: str, seconds: float) -> bool:
        await self._tab.think(seconds * self._intent.pace)
        return self._intent.leaves_at != step

    async def _catalog(self) -> bool:
        tab, intent = self._tab, self._intent
        await tab.open("/")
        if not await self._stays("catalog", 3):
            return False
        if intent.searches:
            await tab.send("find", q=intent.searches)
            await tab.think(2)
            if not await tab.has(f"see-{intent.product}"):
                await tab.follow("all")
        await tab.follow(f"see-{intent.product}")
        return True

    async def _product(self) -> bool:
        if not await self._stays("product", 3):
            return False
        if self._intent.misclicks:
            await self._tab.rage("")
        await self._tab.follow("add")
        return True

    async def _cart(self) -> bool:
        tab, intent = self._tab, self._intent
        if not await self._stays("cart", 2):
            return False
        if intent.coupon:
            await tab.send("apply", coupon=intent.coupon)
            await tab.think(1.5)
            if await tab.has("coupon-wrong") and intent.patience < 0.5:
                return False
        await tab.follow("checkout")
        if await tab.path() != "/cart":
            return True
        await tab.rage("checkout")
        return False

    async def _account(self) -> bool:
        tab, intent = self._tab, self._intent
        if not await self._stays("account", 2):
            return False
        if intent.account == "login":
            for attempt in range(intent.wrong_passwords + 1):
                right = attempt == intent.wrong_passwords
                await tab.send("log-in", login_email=LOGIN[0], password=LOGIN[1] if right else "teapot")
                await tab.think(1.5)
            return True
        if await tab.has("as-guest"):
            await tab.send("as-guest", email="grace@example.com")
            return True
        if intent.patience < 0.6:
            return False
        await tab.send("create", new_email="grace@example.com", new_password="long enough")  # noqa: S106  nobody's
        return True

    async def _shipping(self) -> bool:
        tab, intent = self._tab, self._intent
        if not await self._stays("shipping", 3):
            return False
        if intent.seeks_help:
            await tab.follow("help")
            await tab.think(2)
            await tab.open("/checkout/shipping")
        address = dict(_ADDRESS)
        if intent.forgets_field:
            await tab.send("continue", **{**address, "zip": ""})
            await tab.think(1)
        began = self._now()
        await tab.send("continue", **address)
        if await tab.path() != "/checkout/shipping":
            return self._now() - began < _SOON_S or intent.patience > 0.6
        await tab.rage("continue")
        return False

    async def _payment(self) -> bool:
        tab, intent = self._tab, self._intent
        if not await self._stays("payment", 2):
            return False
        card = intent.card
        for _ in range(1 + round(intent.patience * _MOST_CARDS)):
            await tab.send("pay", number=card, expiry="12 / 29", cvc="123")
            if await tab.path() == "/checkout/done":
                return True
            await tab.think(2 * intent.pace)
            card = GOOD_CARD
        return False
