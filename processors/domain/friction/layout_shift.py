"""Layout shift: the page jumped under the reader's eyes.

The limit is the one from which web-vitals calls CLS poor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal
from processors.domain.friction.web_vital import poor


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Layout shifts among `facts`; threshold: cls."""
    yield from poor("layout_shift", "CLS", thresholds["cls"], facts)
