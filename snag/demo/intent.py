"""Who comes to the shop and what for: drawn once for each customer, so that a seed gives the same customers again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from snag.demo.cards import GOOD_CARD, REFUSALS
from snag.demo.catalog import PRODUCTS
from snag.demo.guest import COUPON

# Shares of those who reach the step and leave it for no fault of the shop: own prior, near the public figures that
# docs/simulator.md names (about a third of carts become orders).
_LEAVES: Final = {"catalog": 0.15, "product": 0.35, "cart": 0.22, "account": 0.08, "shipping": 0.07, "payment": 0.08}
_SEARCHES: Final = 0.25
_SEARCHES_IN_VAIN: Final = 0.2  # of those who search
_MISCLICKS: Final = 0.06
_COUPONS: Final = 0.2
_WRONG_COUPONS: Final = 0.15  # of those with a code
_LOGS_IN: Final = 0.2
_WRONG_PASSWORD: Final = 0.4  # of those who log in, at first
_SEEKS_HELP: Final = 0.05
_FORGETS_FIELD: Final = 0.08
_REFUSED_CARD: Final = 0.06
_ANSWERS: Final = 0.25
_PHONES: Final = 0.45


@dataclass(frozen=True)
class Intent:
    """One customer. `leaves_at`: the step left for no fault of the shop, "" for none; `patience` 0 to 1."""

    product: str
    leaves_at: str
    searches: str
    misclicks: bool
    coupon: str
    account: str
    wrong_passwords: int
    seeks_help: bool
    forgets_field: bool
    card: str
    patience: float
    answers: bool
    on_phone: bool
    pace: float


def seeded(seed: int | None = None) -> Random:
    """What customers are drawn from; without a seed other ones each time."""
    return Random(seed)  # noqa: S311  customers, not keys


def draw(random: Random) -> Intent:
    """The next customer."""
    leaves_at = next((step for step, share in _LEAVES.items() if random.random() < share), "")
    product = random.choice(PRODUCTS)
    searches = ""
    if random.random() < _SEARCHES:
        searches = "matcha set" if random.random() < _SEARCHES_IN_VAIN else product.kind.split()[-1].lower()
    coupon = ""
    if random.random() < _COUPONS:
        coupon = "SPRING24" if random.random() < _WRONG_COUPONS else COUPON
    logs_in = random.random() < _LOGS_IN
    return Intent(
        product=product.id,
        leaves_at=leaves_at,
        searches=searches,
        misclicks=random.random() < _MISCLICKS,
        coupon=coupon,
        account="login" if logs_in else "guest",
        wrong_passwords=int(random.random() < _WRONG_PASSWORD) + int(random.random() < _WRONG_PASSWORD / 4),
        seeks_help=random.random() < _SEEKS_HELP,
        forgets_field=random.random() < _FORGETS_FIELD,
        card=random.choice(list(REFUSALS)) if random.random() < _REFUSED_CARD else GOOD_CARD,
        patience=random.random(),
        answers=random.random() < _ANSWERS,
        on_phone=random.random() < _PHONES,
        pace=random.lognormvariate(0.0, 0.35),
    )
