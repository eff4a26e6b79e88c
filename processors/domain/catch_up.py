"""Catching up: after a crash the minutes may have counted events that the buckets still lack (minutes.py).

Until the buckets have applied those too, a visitor's facts do not tell whether its session already counts. So what is
new by then waits, and is counted when both know the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from processors.domain.fact import Fact
from processors.domain.minutes import Minutes
from processors.domain.visitor import Visitor


class CatchUp:
    """How far a partition's buckets are behind its minutes."""

    def __init__(self, minutes: Minutes, applied: Mapping[str, int]) -> None:
        """`applied`: by topic, the last offset that all buckets hold."""
        self._minutes = minutes
        self._behind = {topic: ahead for topic, ahead in minutes.ahead.items() if ahead > applied.get(topic, -1)}
        self._waiting: list[tuple[str, Visitor, Fact]] = []

    @property
    def pending(self) -> bool:
        """Whether buckets still lack events that the minutes have counted."""
        return bool(self._behind)

    def wait(self, site: str, visitor: Visitor, fact: Fact) -> None:
        """Count `fact`, which `visitor` takes in now, when the buckets have caught up."""
        self._waiting.append((site, visitor, fact))

    def reach(self, topic: str, offset: int) -> None:
        """The next offset of `topic` to be applied is `offset`; with the last topic, what waits is counted."""
        if offset > self._behind.get(topic, -1):
            self._behind.pop(topic, None)
            if not self._behind:
                self._count()

    def _count(self) -> None:
        for _, visitor, fact in self._waiting:
            del visitor.facts[fact.event_id]
        for site, visitor, fact in self._waiting:
            self._minutes.count(site, fact, visitor)
            visitor.add(fact)
        self._waiting.clear()
