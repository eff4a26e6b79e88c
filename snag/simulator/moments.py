"""Columns of events: what happened in which visit, when and where, a whole block of visitors at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snag.simulator import variants

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MOMENT: Final = np.dtype(
    [
        ("at_ms", np.int64),
        ("visit", np.int32),
        ("variant", np.int16),
        ("path", np.int16),
        ("a", np.float64),
        ("b", np.float64),
        ("number", np.int32),
    ]
)
"""One event: Unix ms, row of its visit in the block, template, page, its two numbers, its number within the visit."""

FACT: Final = np.dtype([("visit", np.int32), ("at_ms", np.int64), ("rule", np.int8)])


class Moments:
    """Collects events (`add`) and the friction planted with them (`fact`, by Snag's names of rules)."""

    def __init__(self, rules: Sequence[str]) -> None:
        self.rules: Mapping[str, int] = {name: number for number, name in enumerate(rules)}
        self._parts: list[npt.NDArray[Any]] = []
        self._facts: list[npt.NDArray[Any]] = []

    def add(
        self,
        visit: Ints,
        at_ms: Ints | Floats,
        variant: str | Ints,
        path: int | Ints,
        a: float | Floats | Ints = 0.0,
        b: float | Floats | Ints = 0.0,
    ) -> None:
        """One event for each entry of `visit`; the other columns are as long, or one value for all."""
        if not len(visit):
            return
        part = np.empty(len(visit), MOMENT)
        part["visit"], part["at_ms"], part["path"], part["a"], part["b"] = visit, at_ms, path, a, b
        part["variant"] = variants.number_of(variant) if isinstance(variant, str) else variant
        self._parts.append(part)

    def fact(self, visit: Ints, at_ms: Ints | Floats, rule: str) -> None:
        """Friction of `rule` (Snag's name) was planted in each `visit`."""
        part = np.empty(len(visit), FACT)
        part["visit"], part["at_ms"], part["rule"] = visit, at_ms, self.rules[rule]
        self._facts.append(part)

    def events(self) -> npt.NDArray[Any]:
        """All events by visit and time, numbered within their visit from 0."""
        if not self._parts:
            return np.empty(0, MOMENT)
        every = np.concatenate(self._parts)
        every = every[np.lexsort((every["at_ms"], every["visit"]))]
        first = np.searchsorted(every["visit"], np.arange(every["visit"][-1] + 1))
        every["number"] = np.arange(len(every)) - first[every["visit"]]
        return every

    def facts(self) -> npt.NDArray[Any]:
        """All planted friction, by visit and time."""
        if not self._facts:
            return np.empty(0, FACT)
        every = np.concatenate(self._facts)
        return every[np.lexsort((every["at_ms"], every["visit"]))]


def lognormal_ms(normals: Floats, median_s: float | Floats, sigma: float) -> Ints:
    """Milliseconds of a lognormal time from standard normal draws; at least 1."""
    return (1 + 1000 * median_s * np.exp(sigma * normals)).astype(np.int64)
