"""Where an attempt stands: open -> stalled -> abandoned -> (recovered) | converted, or taken out by an exclusion.

Event time says what the facts between say; the last silence is judged by receipt time, against the partition's
frontier. `stalled` is a live state only: it always resolves, so no final row depends on how long a step usually takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from processors.domain.funnels.attempt import AbandonRules, Attempt
from schemas.rows import AttemptState

STAGES: Final = 8
"""Stages of life between two facts that an attempt goes through by silence alone; each is one state, ripe or not."""

_RANK: Final[Mapping[AttemptState, int]] = {
    "open": 0,
    "stalled": 1,
    "abandoned": 2,
    "converted": 3,
    "recovered": 3,
    "excluded": 3,
}


class Standing(NamedTuple):
    """State of an attempt at a receipt time; `next_change`: the next receipt time at which silence changes it.

    `ripe`: old enough to count in rates.
    """

    state: AttemptState
    ripe: bool
    next_change: int | None = None

    @property
    def stage(self) -> int:
        """Rises with every change made by silence, 0 to 7."""
        return _RANK[self.state] * 2 + self.ripe

    @property
    def undecided(self) -> bool:
        """Whether it may still go on by itself."""
        return _RANK[self.state] < _RANK["abandoned"]


def standing(attempt: Attempt, frontier: int, patience_ms: int, rules: AbandonRules) -> Standing:
    """Where `attempt` stands when everything received up to `frontier` (Unix ms) has been seen.

    `patience_ms`: how long the step where it stands may take before the visitor counts as stalled.
    """
    ripe_at = attempt.reached[0].fact.received + attempt.plan.ripe_after_ms
    state, change = _state(attempt, frontier, patience_ms, rules)
    ripe = frontier >= ripe_at
    if not ripe:
        change = ripe_at if change is None else min(change, ripe_at)
    return Standing(state, ripe, change)


def _state(attempt: Attempt, frontier: int, patience_ms: int, rules: AbandonRules) -> tuple[AttemptState, int | None]:
    if attempt.excluded_by:
        return "excluded", None
    if attempt.complete:
        return ("recovered" if attempt.paused else "converted"), None
    abandoned_at = attempt.quiet_received + rules.abandon_ms
    if attempt.left_at is not None or frontier >= abandoned_at:
        return "abandoned", None
    stalled_at = attempt.reached[-1].fact.received + patience_ms
    if frontier >= stalled_at:
        return "stalled", abandoned_at
    return "open", min(stalled_at, abandoned_at)
