"""What the form rules share: which form an event belongs to, and what counts as its success."""

from __future__ import annotations

from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.checkout import STEPS

SUCCESSES: Final = STEPS | {"form_success", "login", "page_view"}
"""Types of events that may show a form to have been accepted."""


def form_of(fact: Fact) -> str:
    """The form's name as sent, else the element, else the place: what tells forms of a page apart."""
    return fact.text("form") or fact.element or fact.place


def succeeds(fact: Fact, form: str, place: str) -> bool:
    """Whether `fact`, of one of the types SUCCESSES, shows that `form`, sent at `place`, was accepted."""
    if fact.type == "form_success":
        return form_of(fact) == form
    if fact.type == "page_view":
        return fact.place != place
    return True
