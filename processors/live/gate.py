"""The offset gate: per topic, exactly the next offset is let through.

Faust 0.15.3, restarted with a backlog, delivers from the first fetch, then seeks to the committed offsets and drops the
refetched records as already read. "Skip what is not newer" loses those events silently; this gate sees every gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Verdict(Enum):
    """What to do with a record."""

    NEXT = "apply"
    REPEAT = "skip"
    GAP = "skip; rewind to the wanted offset"


class OffsetGate:
    """The next wanted offset of each topic of one partition. Pure bookkeeping; the caller pauses and seeks."""

    def __init__(self, wanted: Mapping[str, int]) -> None:
        """`wanted`: by topic, the first offset not yet in the state."""
        self._wanted = dict(wanted)
        self.gaps: set[str] = set()

    def admit(self, topic: str, offset: int) -> Verdict:
        """Judge a record. NEXT moves the wanted offset on, so the caller must apply the record."""
        wanted = self._wanted[topic]
        if offset < wanted:
            return Verdict.REPEAT
        if offset > wanted:
            self.gaps.add(topic)
            return Verdict.GAP
        self._wanted[topic] = wanted + 1
        self.gaps.discard(topic)
        return Verdict.NEXT

    def wanted(self, topic: str) -> int:
        """The offset that is let through next."""
        return self._wanted[topic]

    def applied(self) -> dict[str, int]:
        """By topic, the last offset let through; one less than wanted."""
        return {topic: wanted - 1 for topic, wanted in self._wanted.items()}

    def skip_to(self, topic: str, offset: int) -> int:
        """Give up on offsets before `offset` (the log no longer has them); returns how many were given up."""
        lost = max(0, offset - self._wanted[topic])
        self._wanted[topic] += lost
        return lost
