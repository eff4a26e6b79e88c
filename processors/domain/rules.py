"""Everything the live rules are set to: one value that a worker makes from the settings and hands down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from processors.domain.funnel import AbandonRules
from processors.domain.props import PropertyReader
from processors.domain.session import SESSION_PROPERTIES, SessionRules
from schemas.funnel import Funnel
from schemas.rules import FRICTION_RULES, FrictionRule


@dataclass(frozen=True)
class Rules:
    """Clocks in ms. `lateness_ms`: how long after a session's end its facts are kept for corrections."""

    funnels: tuple[Funnel, ...]
    session: SessionRules = field(default_factory=SessionRules)
    abandon: AbandonRules = field(default_factory=AbandonRules)
    friction: Mapping[str, FrictionRule] = field(default_factory=lambda: FRICTION_RULES)
    lateness_ms: int = 86_400_000
    emit_interval_ms: int = 3_000

    @cached_property
    def reader(self) -> PropertyReader:
        """Keeps the properties that sessions, funnels and friction rules read."""
        wanted: dict[str, set[str]] = {type_: set(names) for type_, names in SESSION_PROPERTIES.items()}
        for funnel in self.funnels:
            for step in funnel.steps:
                wanted.setdefault(step.type, set()).add(funnel.value)
        for rule in self.friction.values():
            for type_, names in rule.reads.items():
                wanted.setdefault(type_, set()).update(names)
        return PropertyReader(wanted)

    @property
    def link_ms(self) -> int:
        """Silence after which a visitor's facts no longer bear on each other, but for open funnels."""
        return max(self.session.idle_ms, self.abandon.abandon_ms)

    @property
    def ripe_after_s(self) -> float:
        """Seconds after which every funnel step has either been passed or counts as stalled."""
        return max((funnel.stall_after_s for funnel in self.funnels), default=0.0)
