"""Who comes to the shop: device, origin, and whether it is a person at all."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar

from snag.simulator.calibration import Calibration

_T = TypeVar("_T")

# (device, browser, os, screen width in px), weight. Prior: mobile leads in e-commerce traffic by about two to one.
_CLIENTS: Final = (
    (("mobile", "Chrome", "Android", 412), 36),
    (("mobile", "Safari", "iOS", 390), 26),
    (("desktop", "Chrome", "Windows", 1536), 20),
    (("desktop", "Safari", "macOS", 1440), 7),
    (("desktop", "Firefox", "Windows", 1536), 4),
    (("desktop", "Edge", "Windows", 1536), 4),
    (("tablet", "Safari", "iOS", 820), 3),
)
_COUNTRIES: Final = (("DE", 40), ("US", 25), ("GB", 15), ("FR", 12), ("NL", 8))
_RELEASE: Final = "2026.11.1"
_BOT_WIDTH_PX: Final = 1024


@dataclass(frozen=True)
class Shopper:
    """One visitor's fixed traits. `width_px` is the page's width, for the places of clicks."""

    is_bot: bool
    is_new: bool
    device: str
    browser: str
    os: str
    country: str
    width_px: int
    release: str = _RELEASE


def draw_shopper(rng: Random, calibration: Calibration) -> Shopper:
    """A random visitor with the shares of `calibration`."""
    country = _weighted(rng, _COUNTRIES)
    if rng.random() < calibration.bot_share:
        return Shopper(True, True, "bot", "Googlebot", "", country, _BOT_WIDTH_PX)
    device, browser, os, width_px = _weighted(rng, _CLIENTS)
    return Shopper(False, rng.random() < calibration.new_share, device, browser, os, country, width_px)


def _weighted(rng: Random, choices: tuple[tuple[_T, int], ...]) -> _T:
    left = rng.random() * sum(weight for _, weight in choices)
    for choice, weight in choices:
        left -= weight
        if left < 0:
            return choice
    return choices[-1][0]
