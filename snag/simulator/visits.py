"""Visits under way: who they are, where they are, and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from snag.simulator.moments import Bools, Floats, Ints, Moments

ORDERED: Final = 5
"""Stage of those who have ordered; 0 to 4 are the places of incidents.STEPS."""


@dataclass(frozen=True)
class Visits:
    """Visits of one round, one row each. `visit`: the row in the block; `incidents`, `confounders`: of which segment.

    `kept_with`, `kept_without`: goes on with the cart of the visit before, in the world with incidents and without.
    """

    visit: Ints
    starts_ms: Ints
    is_bot: Bools
    is_new: Bools
    entry: Ints
    width_px: Ints
    value: Floats
    kept_with: Bools
    kept_without: Bools
    incidents: Sequence[Bools]
    confounders: Sequence[Bools]


@dataclass(frozen=True)
class Outcome:
    """Where visits ended. `stage`, `stage_without`: the last of STEPS, or ORDERED; -1: never saw the catalog.

    `lost_to`: the incident that stopped it, -1 for none; `met`: by incident, who met it; `shown`: by confounder.
    """

    ends_ms: Ints
    stage: Ints
    stage_without: Ints
    lost_to: Ints
    met: Bools
    shown: Bools
    kept_cart: Bools


class Walk:
    """Visits under way: a clock each (Unix ms); what happens goes into the moments at once."""

    def __init__(self, moments: Moments, visit: Ints, clock: Ints) -> None:
        self.clock = clock.copy()
        self._moments, self._visit = moments, visit

    def emit(self, rows: Ints, variant: str | Ints, path: int | Ints, a: Any = 0.0, b: Any = 0.0) -> None:
        """Something happens now in the visits `rows`."""
        self._moments.add(self._visit[rows], self.clock[rows], variant, path, a, b)

    def fact(self, rows: Ints, rule: str) -> None:
        """Friction is planted in the visits `rows`."""
        self._moments.fact(self._visit[rows], self.clock[rows], rule)
