"""Everything the live rules are set to: one value that a worker makes from the settings and hands down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction import Finders
from processors.domain.funnels.attempt import AbandonRules, Plan
from processors.domain.funnels.match import properties_of
from processors.domain.props import PropertyReader
from processors.domain.session import SessionRules
from processors.domain.session_row import SESSION_PROPERTIES
from schemas.funnel import Funnel
from schemas.products import FRICTION, FUNNELS, PRODUCTS, SESSIONS, Product
from schemas.rules import FRICTION_RULES, FrictionRule

_SLACK_MS: Final = 120_000  # a step counts in the minute that began up to 60 s before it


@dataclass(frozen=True)
class Rules:
    """Clocks in ms. `lateness_ms`: how long after a session's end its facts are kept for corrections.

    `clock_skew_ms`: by how much the clocks of two workers' machines may differ.

    `products`: what is worked out; what only others need is neither kept nor looked at.
    """

    funnels: tuple[Funnel, ...]
    session: SessionRules = field(default_factory=SessionRules)
    abandon: AbandonRules = field(default_factory=AbandonRules)
    friction: Mapping[str, FrictionRule] = field(default_factory=lambda: FRICTION_RULES)
    lateness_ms: int = 86_400_000
    emit_interval_ms: int = 3_000
    clock_skew_ms: int = 60_000
    products: frozenset[Product] = PRODUCTS

    @property
    def only_sessions(self) -> bool:
        """Whether facts need nothing beyond what session rows tell."""
        return self.products == {SESSIONS}

    @cached_property
    def reader(self) -> PropertyReader:
        """Keeps the properties that sessions, funnels and friction rules read."""
        wanted: dict[str, set[str]] = {type_: set(names) for type_, names in SESSION_PROPERTIES.items()}
        for plan in self.plans:
            for type_, read in properties_of(plan.funnel).items():
                wanted.setdefault(type_, set()).update(read)
        for rule in self.friction.values() if FRICTION in self.products else ():
            for type_, names in rule.reads.items():
                wanted.setdefault(type_, set()).update(names)
        return PropertyReader(wanted, wanted.pop("", ()))

    @cached_property
    def finders(self) -> Finders:
        """The friction rules, ready to run; none when signals are not wanted."""
        return Finders(self.friction if FRICTION in self.products else {})

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """The funnels, compiled; none when funnels are not wanted."""
        return tuple(Plan(funnel) for funnel in self.funnels) if FUNNELS in self.products else ()

    @cached_property
    def _starting(self) -> frozenset[str] | None:
        """Types of the facts that may start an attempt in some funnel; None: of any type."""
        found: set[str] = set()
        for plan in self.plans:
            if plan.matcher.starting is None:
                return None
            found |= plan.matcher.starting
        return frozenset(found)

    def window_after(self, fact: Fact) -> int:
        """How long (ms) after `fact` others may belong to an attempt that it starts in some funnel; 0 if in none.

        May be too long, never too short: row versions rest on it (stretch.py).
        """
        longest = 0
        if self._starting is None or fact.type in self._starting:
            for plan in self.plans:
                roles = plan.matcher.roles(fact)
                if roles is not None and roles.start is not None:
                    longest = max(longest, plan.window_ms)
        return longest

    def ripe_after_ms(self, funnel: str) -> int:
        """How old an attempt at `funnel` must be to count in rates; 0 for a funnel that is no more."""
        return next((plan.ripe_after_ms for plan in self.plans if plan.funnel.name == funnel), 0)

    @property
    def cohorts_kept_ms(self) -> int:
        """How long after a minute's end its counts may still change."""
        window_ms = max((plan.window_ms for plan in self.plans), default=0)
        return self.lateness_ms + self.link_ms + window_ms + _SLACK_MS

    @cached_property
    def link_ms(self) -> int:
        """Silence after which a visitor's facts no longer bear on each other, but for open funnels."""
        return max(self.session.idle_ms, self.abandon.abandon_ms)

    @property
    def ripe_after_s(self) -> float:
        """Seconds after which every funnel step has either been passed or counts as stalled."""
        return max((funnel.stall_after_s for funnel in self.funnels), default=0.0)
