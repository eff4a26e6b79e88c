"""What every friction rule returns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from processors.domain.fact import Fact


@dataclass(frozen=True, slots=True)
class Signal:
    """One friction signal: `at` is the fact at which it was certain, `first` the one that names it."""

    signal: str
    first: Fact
    at: Fact
    evidence: dict[str, object]

    def signal_id(self, visitor: str) -> str:
        """The same for the same first fact, whatever arrived in which order."""
        text = f"{self.signal}|{visitor}|{self.first.event_id}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


Find = Callable[[Sequence[Fact], Mapping[str, float]], Iterator[Signal]]
"""A rule: the facts of one session in event order and the thresholds in; signals by time out. Pure."""
