"""The row of a funnel attempt: when each step was reached, what is at stake, and what went wrong."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from processors.domain.fact import ERROR, Fact
from processors.domain.friction import count_signals
from processors.domain.friction.signal import Signal
from processors.domain.funnels.attempt import Attempt
from processors.domain.funnels.standing import Standing
from schemas.event import from_ms
from schemas.rows import FunnelAttemptRow

_ERRORS_KEPT: Final = 10  # different errors named on the step where an attempt stands; one loop must not fill the row
_MESSAGE_MAX_CHARS: Final = 200


class Trouble(NamedTuple):
    """What was seen on one step."""

    friction: dict[str, int]
    errors: dict[str, int]

    @property
    def empty(self) -> bool:
        """Whether nothing was seen."""
        return not self.friction and not self.errors


def attempt_row(
    attempt: Attempt, now: Standing, patience_ms: int, facts: Sequence[Fact], signals: Sequence[Signal]
) -> FunnelAttemptRow:
    """The row of `attempt`; `facts` and `signals` are the visitor's, each in event order.

    Left to the caller: whose it is, its version, and what describes the session it began in.
    """
    funnel = attempt.funnel
    times = {reached.step: from_ms(reached.fact.ts) for reached in attempt.reached}
    begin, end = attempt.started, attempt.last_seen
    first, last = bisect_left(facts, begin, key=_at), bisect_right(facts, end, key=_at)
    errors = [fact for fact in facts[first:last] if fact.kind == ERROR]
    near = [signal for signal in signals if begin <= signal.at.ts <= end]
    here = attempt.reached[-1]
    own_errors: list[Fact] = []
    own_signals: list[Signal] = []
    by_step: dict[int, Trouble] = {}
    if errors or near:
        for reached in attempt.reached:
            start, until = reached.fact.ts, reached.left
            if until is None and attempt.complete:
                continue
            on_errors = [fact for fact in errors if fact.ts >= start and (until is None or fact.ts < until)]
            on_signals = [s for s in near if s.at.ts >= start and (until is None or s.at.ts < until)]
            by_step[reached.step] = Trouble(count_signals(on_signals), _count(on_errors))
            if reached is here:
                own_errors, own_signals = on_errors, on_signals
    own = by_step.get(here.step, Trouble({}, {}))
    causes = [(s.at.order, s.signal) for s in own_signals] + [(f.order, f"error:{f.error_class}") for f in own_errors]
    (cause_order, cause) = min(causes, default=((0, ""), ""))
    named = _named(own_errors)
    told = any(not trouble.empty for trouble in by_step.values())
    steps = range(len(funnel.steps))
    row = FunnelAttemptRow(
        site="",
        funnel=funnel.name,
        attempt_id=attempt.attempt_id,
        visitor_id="",
        started_at=from_ms(attempt.started),
        version=0,
        funnel_version=funnel.version,
        state=now.state,
        ripe=now.ripe,
        steps=[step.name for step in funnel.steps],
        step_times=[times.get(i) for i in steps],
        step_reached=here.step + 1,
        step_name=funnel.steps[here.step].name,
        last_step_at=times[here.step],
        last_seen_at=from_ms(attempt.last_seen),
        seconds_on_step=max(0, attempt.last_seen - here.fact.ts) / 1000,
        excluded_by=attempt.excluded_by,
        value=attempt.value or 0.0,
        currency=attempt.currency,
        breakdown=attempt.breakdown,
        friction=own.friction,
        errors=own.errors,
        error_counts={fingerprint: n for fingerprint, (n, _) in named.items()},
        error_messages={fingerprint: text for fingerprint, (_, text) in named.items()},
        first_cause=cause,
        first_cause_at=from_ms(cause_order[0]) if cause else None,
    )
    if now.state == "stalled":
        row.stalled_after_s = patience_ms / 1000
    if told:
        row.step_friction = [by_step[i].friction if i in by_step else {} for i in steps]
        row.step_errors = [by_step[i].errors if i in by_step else {} for i in steps]
    return row


def _at(fact: Fact) -> int:
    return fact.ts


def _count(errors: Sequence[Fact]) -> dict[str, int]:
    classes: dict[str, int] = {}
    for fact in errors:
        classes[fact.error_class] = classes.get(fact.error_class, 0) + 1
    return classes


def _named(errors: Sequence[Fact]) -> dict[str, tuple[int, str]]:
    """By fingerprint, how often and one text: class and the first message; the first few fingerprints only."""
    named: dict[str, tuple[int, str]] = {}
    for fact in errors:
        known = named.get(fact.fingerprint)
        if known is not None:
            named[fact.fingerprint] = (known[0] + 1, known[1])
        elif len(named) < _ERRORS_KEPT:
            named[fact.fingerprint] = (1, f"{fact.error_class}: {fact.message[:_MESSAGE_MAX_CHARS]}")
    return named
