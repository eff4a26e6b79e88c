"""Slow page: the page's main content came late.

The limit is the one from which web-vitals calls LCP poor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal
from processors.domain.friction.web_vital import poor


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Slow pages among `facts`; threshold: lcp_ms."""
    yield from poor("slow_page", "LCP", thresholds["lcp_ms"], facts)
