"""Funnel attempts: what one visitor tried to complete, how far it went, and where it stands.

States: open -> stalled -> abandoned -> (recovered) | converted. Ordered steps; the same step again is the same attempt.
A first step after a pause of `abandon_ms` starts a new attempt; a later step after such a pause continues the old one,
and its order makes it `recovered`: a correction, never a silent rewrite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from processors.domain.fact import Fact
from schemas.funnel import Funnel
from schemas.rows import AttemptState


@dataclass(frozen=True)
class AbandonRules:
    """A visitor silent for `abandon_ms` has left."""

    abandon_ms: int = 1_800_000


@dataclass(slots=True)
class Attempt:
    """One attempt: `reached[i]` is the fact that completed step i; `value` the money last seen at stake."""

    funnel: Funnel
    attempt_id: str
    reached: list[Fact]
    value: float = 0.0
    last_seen: int = 0
    paused: bool = False
    left_at: int | None = None
    quiet_received: int = 0

    @property
    def started(self) -> int:
        """Event time of the first step, Unix ms."""
        return self.reached[0].ts

    @property
    def last_step(self) -> int:
        """Event time of the last step reached, Unix ms."""
        return self.reached[-1].ts

    @property
    def complete(self) -> bool:
        """Whether the last step was reached."""
        return len(self.reached) == len(self.funnel.steps)


@dataclass(frozen=True)
class Standing:
    """State of an attempt at a receipt time, and the next receipt time (Unix ms) at which it changes by silence."""

    state: AttemptState
    next_change: int | None = field(default=None)


def find_attempts(visitor: str, facts: Sequence[Fact], funnel: Funnel, rules: AbandonRules) -> list[Attempt]:
    """The attempts in one visitor's `facts` (in event order), by start. Depends on the set of facts only.

    Facts of the same millisecond (a batch sent without timestamps) count in the order of the steps, as in ClickHouse's
    windowFunnel.
    """
    types = [step.type for step in funnel.steps]
    wanted = set(types)
    if types[0] not in {fact.type for fact in facts}:
        return []
    facts = sorted(
        facts, key=lambda fact: (fact.ts, types.index(fact.type) if fact.type in wanted else -1, fact.event_id)
    )
    window_ms = int(funnel.window_h * 3_600_000)
    attempts: list[Attempt] = []
    current: Attempt | None = None
    previous: int | None = None  # event time of the visitor's fact before
    for fact in facts:
        paused = previous is not None and fact.ts - previous > rules.abandon_ms
        previous = fact.ts
        if current is not None and not current.complete:
            if paused and current.left_at is None:
                current.left_at = current.last_seen + rules.abandon_ms
            if current.left_at is None:
                current.last_seen = fact.ts
                current.quiet_received = max(current.quiet_received, fact.received)
        if fact.type not in wanted:
            continue
        expired = current is not None and fact.ts - current.started > window_ms
        if current is None or current.complete or expired or (fact.type == types[0] and current.left_at is not None):
            if fact.type != types[0]:
                continue
            current = Attempt(funnel, _attempt_id(funnel.name, visitor, fact.ts), [fact])
            current.last_seen, current.quiet_received = fact.ts, fact.received
            attempts.append(current)
        elif fact.type == types[len(current.reached)]:
            current.reached.append(fact)
            if current.left_at is not None:
                current.paused, current.left_at = True, None
            current.last_seen = fact.ts
            current.quiet_received = max(current.quiet_received, fact.received)
        if (value := fact.number(funnel.value)) is not None:
            current.value = value
    return attempts


def window_after(fact: Fact, funnels: Sequence[Funnel]) -> int:
    """How long (ms) after `fact` others may belong to an attempt that it opens in one of `funnels`; 0 if it opens none.

    May be too long, never too short: row versions rest on it (stretch.py).
    """
    return max((int(f.window_h * 3_600_000) for f in funnels if f.steps[0].type == fact.type), default=0)


def standing(attempt: Attempt, frontier: int, rules: AbandonRules) -> Standing:
    """Where `attempt` stands when everything received up to `frontier` (Unix ms) has been seen."""
    if attempt.complete:
        return Standing("recovered" if attempt.paused else "converted")
    if attempt.left_at is not None:
        return Standing("abandoned")
    abandoned_at = attempt.quiet_received + rules.abandon_ms
    if frontier >= abandoned_at:
        return Standing("abandoned")
    stalled_at = attempt.reached[-1].received + int(attempt.funnel.stall_after_s * 1000)
    if frontier >= stalled_at:
        return Standing("stalled", abandoned_at)
    return Standing("open", min(stalled_at, abandoned_at))


def _attempt_id(funnel: str, visitor: str, start_ms: int) -> str:
    return hashlib.blake2b(f"{funnel}|{visitor}|{start_ms}".encode(), digest_size=8).hexdigest()
