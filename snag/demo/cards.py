"""The card processor: well-known test numbers (Stripe's), each with the answer that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

GOOD_CARD: Final = "4242424242424242"


class ProcessorUnreachable(RuntimeError):
    """The processor did not answer."""


@dataclass(frozen=True)
class Refusal:
    """Why a card was refused. `soft`: the same card may work when tried again; `hard`: it will not."""

    code: str
    kind: Literal["soft", "hard"]
    message: str


REFUSALS: Final = {
    "4000000000009995": Refusal("insufficient_funds", "soft", "Your bank says there is not enough on this account."),
    "4000000000000119": Refusal("processing_error", "soft", "Something went wrong on the way to your bank."),
    "4000000000000002": Refusal("generic_decline", "soft", "Your bank has declined this payment."),
    "4000000000000069": Refusal("expired_card", "hard", "This card has expired."),
    "4000000000009979": Refusal("stolen_card", "hard", "Your bank does not accept this card."),
}


def is_card_number(number: str) -> bool:
    """Whether `number` has a card's length and check digit (Luhn, ISO/IEC 7812-1)."""
    if not (number.isascii() and number.isdigit() and 13 <= len(number) <= 19):
        return False
    doubled = [int(digit) * (1 + i % 2) for i, digit in enumerate(reversed(number))]
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def charge(number: str, *, reachable: bool) -> Refusal | None:
    """Charge a card; None when it is paid. Raises ProcessorUnreachable when nobody answers."""
    if not reachable:
        raise ProcessorUnreachable("card processor: no answer within 5 s")
    return REFUSALS.get(number)
