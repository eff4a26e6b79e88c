"""Funnel attempts: what one visitor tried to complete and how far it went. Depends on the set of facts only.

A first step after the visitor has left (a pause of `abandon_ms`, an explicit leave, the end of the window) starts a new
attempt; another step that goes on where the old one stands continues it, and its completion is then a recovery: a
correction, never a silent rewrite. One fact reaches one step. Facts of the same millisecond (a batch sent without
timestamps) count in the order of the steps, as in ClickHouse's windowFunnel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Set
from dataclasses import dataclass

from processors.domain.fact import Fact
from processors.domain.funnels.match import Matcher, Roles
from schemas.funnel import Funnel

_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class AbandonRules:
    """A visitor silent for `abandon_ms` has left."""

    abandon_ms: int = 1_800_000


class Plan:
    """A funnel definition made ready to find attempts with. `judged`: steps whose conversion the alerts watch."""

    def __init__(self, funnel: Funnel) -> None:
        self.funnel = funnel
        self.window_ms = int(funnel.window_h * _HOUR_MS)
        self.ripe_after_ms = int(funnel.ripe_after_s * 1000)
        self.any_order = funnel.order == "any"
        self.strict = funnel.order == "strict"
        self.required = frozenset(i for i, step in enumerate(funnel.steps) if not step.optional)
        self.last = len(funnel.steps) - 1
        self.judged = range(len(funnel.steps) if self.any_order else self.last)
        self.matcher = Matcher(funnel, self._start)
        steps = [step.name for step in funnel.steps]
        self.guards = [
            (
                steps.index(exclusion.after) if exclusion.after else None,
                steps.index(exclusion.before) if exclusion.before else None,
            )
            for exclusion in funnel.exclude
        ]

    def _start(self, steps: Sequence[int]) -> int | None:
        """The step with which a fact that matches `steps` starts an attempt: none before it may be required."""
        return self.next_ordered(-1, steps) if not self.any_order else min(steps, default=None)

    def may_be_tried_by(self, types: Set[str]) -> bool:
        """Whether a visitor with facts of these types may have started an attempt."""
        return self.matcher.starting is None or not self.matcher.starting.isdisjoint(types)

    def next_ordered(self, position: int, steps: Sequence[int]) -> int | None:
        """The first of `steps` after step `position` with only optional ones between."""
        for step in steps:
            if step > position:
                return None if any(i in self.required for i in range(position + 1, step)) else step
        return None


class Reached:
    """A step that was reached: its index, the fact, and the event time at which the attempt went on (Unix ms)."""

    __slots__ = ("fact", "left", "step")

    def __init__(self, step: int, fact: Fact) -> None:
        self.step, self.fact = step, fact
        self.left: int | None = None


class Attempt:
    """One attempt.

    `reached`: steps by time. `value`: money last seen at stake (None: never), `currency` with it. `last_seen`: event
    time (Unix ms) of the last fact before the visitor left or completed; `left_at` when it counts as having left.
    `paused`: it had left and came back. `broken`: a step out of turn ended a strict funnel. `excluded_by`: what took it
    out. `quiet_received`: receipt time (Unix ms) from which silence counts.
    """

    def __init__(self, plan: Plan, visitor: str, step: int, fact: Fact) -> None:
        self.plan = plan
        name = f"{plan.funnel.name}|{plan.funnel.version}|{visitor}|{fact.event_id}"
        self.attempt_id = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
        self.reached = [Reached(step, fact)]
        self.done = {step}
        self.value: float | None = None
        self.currency = ""
        self.breakdown: dict[str, str] = {}
        self.last_seen = fact.ts
        self.left_at: int | None = None
        self.paused = self.broken = False
        self.excluded_by = ""
        self.quiet_received = fact.received

    @property
    def funnel(self) -> Funnel:
        """The definition."""
        return self.plan.funnel

    @property
    def started(self) -> int:
        """Event time of the first step reached, Unix ms."""
        return self.reached[0].fact.ts

    @property
    def step(self) -> int:
        """Index of the step where the attempt stands."""
        return self.reached[-1].step

    @property
    def last_step(self) -> int:
        """Event time of the last step reached, Unix ms."""
        return self.reached[-1].fact.ts

    @property
    def complete(self) -> bool:
        """Whether the funnel was completed: its last step, or in any order all that are not optional."""
        return self.plan.required <= self.done if self.plan.any_order else self.step == self.plan.last

    @property
    def over(self) -> bool:
        """Whether no step can be added any more, whatever comes."""
        return self.complete or self.broken or self.excluded_by != ""

    def _next(self, steps: Sequence[int]) -> int | None:
        if self.plan.any_order:
            return next((step for step in steps if step not in self.done), None)
        return self.plan.next_ordered(self.step, steps)

    def take(self, fact: Fact, roles: Roles) -> bool:
        """Apply a fact of the funnel within the window; False when it belongs to a new attempt."""
        for index in roles.exclusions if self.left_at is None else ():
            after, before = self.plan.guards[index]
            if (after is None or after in self.done) and (before is None or before not in self.done):
                self.excluded_by = self.funnel.exclude[index].name
                return True
        step = self._next(roles.steps)
        if step is not None:
            self._go_on(step, fact)
        elif roles.steps and self.left_at is not None and (self.plan.any_order or 0 in roles.steps):
            return False
        elif self.plan.strict and self.left_at is None and roles.steps and self.step not in roles.steps:
            self.broken = True
            self.left_at = fact.ts
            return roles.start is None
        if roles.leave and not self.over and self.left_at is None:
            self.left_at = fact.ts
        return True

    def _go_on(self, step: int, fact: Fact) -> None:
        self.reached[-1].left = fact.ts
        self.reached.append(Reached(step, fact))
        self.done.add(step)
        if self.left_at is not None:
            self.paused, self.left_at = True, None
        self.last_seen = fact.ts
        self.quiet_received = max(self.quiet_received, fact.received)

    def note(self, fact: Fact) -> None:
        """Take the money and the breakdown from a fact of one of the steps."""
        if fact.props is None:
            return
        value = fact.number(*self.funnel.values)
        if value is not None:
            self.value = value
        self.currency = fact.text(self.funnel.currency) or self.currency
        for name in self.funnel.breakdown:
            if name not in self.breakdown and (text := fact.text(name)):
                self.breakdown[name] = text


def find_attempts(visitor: str, facts: Sequence[Fact], plan: Plan, rules: AbandonRules) -> list[Attempt]:
    """The attempts in one visitor's `facts` (in event order), by start."""
    roles_of, types = plan.matcher.roles, plan.matcher.types
    known = [
        (n, roles)
        for n, fact in enumerate(facts)
        if (types is None or fact.type in types) and (roles := roles_of(fact)) is not None
    ]
    if not known:  # most visitors
        return []
    first = next((n for n, roles in known if roles.start is not None), None)
    if first is None:
        return []
    roles_at = dict(known)
    attempts: list[Attempt] = []
    current: Attempt | None = None
    previous: int | None = None  # event time of the visitor's fact before
    for fact, roles in _in_step_order(facts, roles_at, first):
        if current is not None and not current.over:
            _let_time_pass(current, fact, previous, rules)
        previous = fact.ts
        if roles is None:
            continue
        if current is not None and not current.over and fact.ts - current.started <= plan.window_ms:
            taken = current.take(fact, roles)
            if taken:
                if roles.steps and not current.excluded_by:
                    current.note(fact)
                continue
        if roles.start is not None:
            current = Attempt(plan, visitor, roles.start, fact)
            current.note(fact)
            attempts.append(current)
    return attempts


def _in_step_order(facts: Sequence[Fact], roles_at: dict[int, Roles], first: int) -> list[tuple[Fact, Roles | None]]:
    """Facts from the first millisecond of fact `first` on, with their roles; those of one millisecond by step."""
    at = facts[first].ts
    while first and facts[first - 1].ts == at:
        first -= 1
    found = [(facts[n], roles_at.get(n)) for n in range(first, len(facts))]
    found.sort(key=lambda pair: (pair[0].ts, pair[1].steps[0] if pair[1] and pair[1].steps else -1))
    return found


def _let_time_pass(attempt: Attempt, fact: Fact, previous: int | None, rules: AbandonRules) -> None:
    """What the time between the visitor's facts means for an attempt that goes on."""
    if attempt.left_at is not None:
        return
    if previous is not None and fact.ts - previous > rules.abandon_ms:
        attempt.left_at = attempt.last_seen + rules.abandon_ms
    elif fact.ts - attempt.started > attempt.plan.window_ms:
        attempt.left_at = attempt.started + attempt.plan.window_ms
    else:
        attempt.last_seen = fact.ts
        attempt.quiet_received = max(attempt.quiet_received, fact.received)
