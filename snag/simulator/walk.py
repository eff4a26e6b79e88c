"""A visitor on the way: the clock, the page, and what happened so far."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from random import Random
from typing import Any, Final, NamedTuple

from snag.simulator.calibration import Calibration

_PAGE_HEIGHT_PX: Final = 2400


class Moment(NamedTuple):
    """One thing a visitor did, `at_ms` after arriving."""

    at_ms: int
    type: str
    path: str
    element: str = ""
    x: int = 0
    y: int = 0
    props: Mapping[str, Any] | None = None
    message: str = ""


class Walk:
    """Collects the `moments` of one visit; `path` is the page the visitor is on."""

    def __init__(self, rng: Random, width_px: int, shop: Calibration) -> None:
        self.rng = rng
        self.shop = shop
        self.moments: list[Moment] = []
        self.path = "/"
        self._width_px = width_px
        self._at_ms = 0

    def emit(self, type_: str, props: Mapping[str, Any] | None = None, message: str = "") -> None:
        """Something happened on this page."""
        self.moments.append(Moment(self._at_ms, type_, self.path, props=props, message=message))

    def view(self, path: str) -> None:
        """Go to a page."""
        self.path = path
        self.emit("page_view")

    def wait_ms(self, ms: int) -> None:
        """Let time pass."""
        self._at_ms += ms

    def wait(self, median_s: float, sigma: float) -> None:
        """Let a lognormal time pass."""
        self._at_ms += 1 + int(1000 * self.rng.lognormvariate(log(median_s), sigma))

    def dwell(self) -> None:
        """Stay on the page as long as people do."""
        self.wait(self.shop.dwell_s, self.shop.dwell_sigma)

    def click(self, element: str, times: int = 1, props: Mapping[str, Any] | None = None) -> None:
        """`times` clicks on one spot, as fast as an annoyed hand goes."""
        x, y = int(self.rng.random() * self._width_px), int(self.rng.random() * _PAGE_HEIGHT_PX)
        for _ in range(times):
            self.moments.append(Moment(self._at_ms, "click", self.path, element, x, y, props))
            if times > 1:
                self._at_ms += 120 + int(self.rng.random() * 230)
                x += int(self.rng.random() * 4)
