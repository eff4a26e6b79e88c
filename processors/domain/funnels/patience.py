"""How long a step usually takes: the 95th percentile of its own recent times, learnt by a t-digest per step.

Each partition learns from its own visitors. A visitor's patience is fixed when it reaches the step, so a threshold that
moves never makes a stalled attempt open again; and as `stalled` always resolves, no final row depends on it.
"""

from __future__ import annotations

from typing import Final

import msgspec
from fastdigest import TDigest

from schemas.funnel import Funnel

QUANTILE: Final = 0.95
MIN_TIMES: Final = 50  # fewer say little about a 95th percentile: 1 in 20 lies beyond it
_GENERATION_TIMES: Final = 2_000  # "recent": the last 2,000 to 4,000 times, or
_GENERATION_MS: Final = 86_400_000  # those of one to two days, whichever are fewer
_CENTROIDS: Final = 50  # 0.9 KB at rest; measured on 2,000 lognormal times: 0.8 % off in the mean, 4 % at worst
_LEAST_S: Final = 10.0  # nobody stalls sooner, however fast a step usually is
_STEPS_KEPT: Final = (
    1_000  # at most 2 MB in a checkpoint; beyond, the step that learnt nothing for longest is forgotten
)

StepKey = tuple[str, str, int, int]
"""(site, funnel, its version, step index)."""


class _Times:
    """Times of one step: those of this generation and the one before."""

    def __init__(self) -> None:
        self.now = TDigest(max_centroids=_CENTROIDS)
        self.before: TDigest | None = None
        self.since = 0
        self.patience_s: float | None = None


class StepTimes:
    """What a partition knows of how long steps take."""

    def __init__(self) -> None:
        self._steps: dict[StepKey, _Times] = {}
        self.changed = False

    def learn(self, key: StepKey, seconds: float, at: int) -> None:
        """A visitor took `seconds` from this step to the next, as known at receipt time `at` (Unix ms)."""
        times = self._steps.pop(key, None)
        if times is None:
            times = _Times()
            times.since = at
            if len(self._steps) >= _STEPS_KEPT:
                del self._steps[next(iter(self._steps))]
        self._steps[key] = times  # the last one learnt is the last in order
        self.changed = True
        if times.now.n_values >= _GENERATION_TIMES or at - times.since >= _GENERATION_MS:
            times.before, times.now, times.since = times.now, TDigest(max_centroids=_CENTROIDS), at
        times.now.update(seconds)
        times.patience_s = None

    def patience_ms(self, site: str, funnel: Funnel, step: int, most_ms: int) -> int:
        """How long (ms) a visitor may take at `step`: as learnt, between 10 s and `most_ms`, else as defined."""
        times = self._steps.get((site, funnel.name, funnel.version, step))
        seconds = funnel.stall_after_s
        if times is not None:
            if times.patience_s is None:
                times.patience_s = _patience_s(times)
            seconds = times.patience_s or seconds
        return min(most_ms, int(seconds * 1000))

    def dump(self) -> bytes:
        """Everything as bytes for a checkpoint."""
        self.changed = False
        packed = [
            (key, times.since, times.now.to_bytes(), times.before.to_bytes() if times.before else b"")
            for key, times in self._steps.items()
        ]
        return msgspec.msgpack.encode(packed)

    @classmethod
    def load(cls, packed: bytes) -> StepTimes:
        """What `dump` gave."""
        loaded = cls()
        for key, since, now, before in msgspec.msgpack.decode(packed, type=_Packed):
            times = loaded._steps[key] = _Times()
            times.since, times.now = since, TDigest.from_bytes(now)
            times.before = TDigest.from_bytes(before) if before else None
        return loaded


_Packed = list[tuple[StepKey, int, bytes, bytes]]


def _patience_s(times: _Times) -> float | None:
    digest = times.now if times.before is None else times.before + times.now
    return max(_LEAST_S, digest.quantile(QUANTILE)) if digest.n_values >= MIN_TIMES else None
