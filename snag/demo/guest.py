"""One customer of the shop as the server knows them: cart, checkout, and what the next page has to tell Snag."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from snag.demo.catalog import CURRENCY, find

COUPON: Final = "TEA10"
_COUPON_SHARE: Final = 0.10
SHIPPING: Final = {"standard": 4.9, "express": 9.9}
_MOST: Final = 20_000  # customers remembered: some MB

Call = list[Any]
"""A call of the browser SDK: its method and arguments."""


@dataclass
class Guest:
    """A customer. Money in euros; `calls` wait for the next page that is shown."""

    cart: dict[str, int] = field(default_factory=dict)
    coupon: str = ""
    account: str = ""
    email: str = ""
    shipping: str = ""
    checkout_id: str = ""
    order: dict[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def tell(self, method: str, *arguments: Any) -> None:
        """Have the next page call `snag.<method>(..)`."""
        self.calls.append([method, *arguments])

    def take_calls(self) -> list[Call]:
        """The waiting calls; they wait no more."""
        taken, self.calls = self.calls, []
        return taken

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The cart as rows: product, quantity, total."""
        rows = [(find(product_id), quantity) for product_id, quantity in self.cart.items()]
        return [{"product": p, "quantity": n, "total": round(p.price * n, 2)} for p, n in rows if p is not None]

    @property
    def value(self) -> float:
        """What the goods cost, the coupon taken off."""
        goods: float = sum(line["total"] for line in self.lines)
        return round(goods - self.discount, 2)

    @property
    def discount(self) -> float:
        """What the coupon takes off."""
        goods: float = sum(line["total"] for line in self.lines)
        return round(goods * _COUPON_SHARE, 2) if self.coupon else 0.0

    @property
    def shipping_cost(self) -> float:
        """Of the chosen delivery; 0 while none is chosen."""
        return SHIPPING.get(self.shipping, 0.0)

    @property
    def total(self) -> float:
        """What there is to pay."""
        return round(self.value + self.shipping_cost, 2)

    @property
    def count(self) -> int:
        """Number of things in the cart."""
        return sum(self.cart.values())

    def money(self, **more: Any) -> dict[str, Any]:
        """The properties that every checkout event carries."""
        return {"checkout_id": self.checkout_id or None, "value": self.value, "currency": CURRENCY, **more}


class Guests:
    """Customers by the shop's own session cookie, the latest _MOST of them."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, Guest] = OrderedDict()

    def of(self, cookie: str | None) -> tuple[str, Guest]:
        """The customer of a cookie, or a new one with a new cookie."""
        guest = self._by_id.get(cookie) if cookie else None
        if cookie and guest is not None:
            self._by_id.move_to_end(cookie)
            return cookie, guest
        name, fresh = secrets.token_urlsafe(16), Guest()
        self._by_id[name] = fresh
        if len(self._by_id) > _MOST:
            self._by_id.popitem(last=False)
        return name, fresh
