"""What the restated friction rules share: a signal, where it lies, and which element was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.oracle.events import Happening

Limits = Mapping[str, float]
Session = Sequence[Happening]

STEPS = (
    "checkout_started",
    "checkout_step_viewed",
    "checkout_step_completed",
    "shipping",
    "payment",
    "order_completed",
)


@dataclass(frozen=True)
class Friction:
    """One signal: where it began (`first`), where it was certain (`at`), and what was measured."""

    signal: str
    first: Happening
    at: Happening
    measured: Mapping[str, Any]


def of_type(session: Session, *types: str) -> list[Happening]:
    """The happenings of these types, in order."""
    return [h for h in session if h.type in types]


def spaced(happenings: Session, gap_ms: float) -> list[Happening]:
    """The first happening, and each that comes more than `gap_ms` after the last one taken."""
    taken: list[Happening] = []
    for h in happenings:
        if not taken or h.at - taken[-1].at > gap_ms:
            taken.append(h)
    return taken


def first_within(run: Session, needed: int, span_ms: float) -> tuple[Happening, Happening] | None:
    """The first `needed` happenings in a row that fit into `span_ms`: the first and the last of them."""
    fitting = ((a, b) for a, b in zip(run, run[needed - 1 :], strict=False) if b.at - a.at <= span_ms)
    return next(fitting, None)


def checkouts(session: Session) -> Iterator[list[Happening]]:
    """The stretches of a session that lie in a checkout: from a first step to the order, or to shopping on."""
    stretch: list[Happening] = []
    for n, h in enumerate(session):
        signs = [x.type for x in session[: n + 1] if x.type in (*STEPS, "product_viewed", "product_added")]
        if signs and signs[-1] in STEPS[:-1]:
            stretch.append(h)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def compounds(selector: str) -> list[set[str]]:
    """The parts of a CSS selector, each with all it names: tag, classes, id, attributes."""
    for sign in ">+~":
        selector = selector.replace(sign, " ")
    parts = []
    for part in selector.split():
        for sign in ".#[:":
            part = part.replace(sign, f" {sign}")  # noqa: PLW2901  apart, to be split
        parts.append(set(part.split()))
    return parts


def tag(h: Happening) -> str:
    """The tag as sent, else the last part of the selector up to its first class, id or attribute."""
    if h.prop_text("tag"):
        return h.prop_text("tag").lower()
    parts = re.split("[ >+~]+", h.text("element").strip())
    name = parts[-1]
    for sign in ".#[:":
        name = name.split(sign)[0]
    return name.lower()
