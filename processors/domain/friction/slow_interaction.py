"""Slow interaction: the page answered a click or key late.

The limit is the one from which web-vitals calls INP poor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal
from processors.domain.friction.web_vital import poor


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Slow interactions among `facts`; threshold: inp_ms."""
    yield from poor("slow_interaction", "INP", thresholds["inp_ms"], facts)
