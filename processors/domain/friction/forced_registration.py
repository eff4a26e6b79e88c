"""Forced registration: an account is asked for in the middle of the checkout (Baymard's second reason to leave)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.checkout import STEPS, checkouts
from processors.domain.friction.signal import Signal

_PAGE: Final = re.compile(r"(?:^|[/_.-])(?:register|registration|sign-?up|create-?account)(?:$|[/_.?-])", re.IGNORECASE)


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Forced registrations among `facts`, once per checkout; no thresholds."""
    guests: set[int] = set()
    counted: set[int] = set()
    for fact, checkout in checkouts(facts):
        if fact.type in STEPS and fact.text("account_type").lower().startswith("guest"):
            guests.add(checkout)
        if checkout in counted or checkout in guests:
            continue
        on_page = fact.type in ("page_view", "form_start") and _PAGE.search(fact.place) is not None
        if on_page or fact.type == "registration_required":
            counted.add(checkout)
            yield Signal("forced_registration", fact, fact, {"seen_by": fact.type})
