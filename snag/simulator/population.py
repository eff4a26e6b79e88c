"""Who comes and when: a Poisson stream of people, their fixed traits, and when they come again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from snag.simulator.calibration import (
    CAMPAIGN_SHARES,
    COUNTRY_SHARES,
    DEVICE_SHARES,
    Calibration,
)
from snag.simulator.moments import Bools, Floats, Ints

BLOCK: Final = 256
"""People drawn together: enough for numpy, few enough that a live stream starts at once."""

ROUNDS: Final = 3
"""Visits of one person in a run, at most."""

_HOUR_S: Final = 3600
_WEEK_H: Final = 168
_WEEK_S: Final = _WEEK_H * _HOUR_S
_MONDAY_S: Final = 4 * 86_400  # the Unix epoch was a Thursday
_AGAIN_AFTER_H: Final = 4.0  # no visit takes so long


def generator(seed: int, block: int, purpose: int) -> np.random.Generator:
    """Draws of one purpose for one block: nothing that another purpose or block does moves them."""
    return np.random.Generator(np.random.Philox(key=[seed, block << 8 | purpose]))


class Arrivals:
    """Moments of arrival (Unix ms): a Poisson process of mean `per_s`, with nights and weekends if it `swings`."""

    def __init__(self, start_ms: int, per_s: float, shop: Calibration, *, swings: bool) -> None:
        self._start_ms, self._per_s = start_ms, per_s
        self._spent = 0.0  # seconds of mean traffic since the start
        hours = week_factors(shop) if swings else np.ones(_WEEK_H)
        self._mass = np.concatenate(([0.0], np.cumsum(hours) * _HOUR_S))
        self._from = np.interp((start_ms / 1000 - _MONDAY_S) % _WEEK_S, np.arange(_WEEK_H + 1) * _HOUR_S, self._mass)

    def next(self, exponentials: Floats) -> Ints:
        """The next arrivals, rising, from standard exponential draws."""
        spent = self._spent + np.cumsum(exponentials) / self._per_s
        self._spent = float(spent[-1])
        weeks, rest = np.divmod(self._from + spent, _WEEK_S)
        at = weeks * _WEEK_S + np.interp(rest, self._mass, np.arange(_WEEK_H + 1) * _HOUR_S)
        begun = np.interp(self._from, self._mass, np.arange(_WEEK_H + 1) * _HOUR_S)
        return np.asarray(self._start_ms + 1000 * (at - begun), np.int64)


def week_factors(shop: Calibration) -> Floats:
    """Traffic of each hour of the week (UTC, from Monday) against the mean: a cosine over the day, fuller weekends."""
    hour = np.arange(24)
    day = 1 - (1 - shop.night_factor) * np.cos((hour - 4) * 2 * np.pi / 24)
    workday = (7 - 2 * shop.weekend_factor) / 5
    factors = np.concatenate([day * (shop.weekend_factor if weekday > 4 else workday) for weekday in range(7)])
    return np.asarray(factors / factors.mean(), np.float64)


@dataclass(frozen=True)
class People:
    """The people of one block; each column has BLOCK entries. `starts_ms` and `comes`: by round of visits."""

    is_bot: Bools
    is_new: Bools
    device: Ints
    country: Ints
    campaign: Ints
    clock_off_ms: Ints
    starts_ms: tuple[Ints, ...]
    comes: tuple[Bools, ...]


def draw_people(rng: np.random.Generator, arrived_ms: Ints, shop: Calibration, *, come_again: bool) -> People:
    """A block of people who first come at `arrived_ms`."""
    size = len(arrived_ms)
    traits = rng.random((6, size))
    is_bot = traits[0] < shop.bot_share
    off = shop.wrong_clock_s * np.exp(rng.standard_normal(size)) * np.where(rng.random(size) < 0.5, 1000, -1000)
    limit = shop.wrong_clock_max_s * 1000
    wrong = (traits[5] < shop.wrong_clock_rate) & ~is_bot
    starts, comes = [arrived_ms], [np.ones(size, np.bool_)]
    for _ in range(1, ROUNDS if come_again else 1):
        hours = _AGAIN_AFTER_H + shop.again_h * np.exp(shop.again_sigma * rng.standard_normal(size))
        starts.append(starts[-1] + (hours * _HOUR_S * 1000).astype(np.int64))
        comes.append(comes[-1] & ~is_bot & (rng.random(size) < shop.again_rate))
    return People(
        is_bot=is_bot,
        is_new=traits[1] < shop.new_share,
        device=_pick(traits[2], DEVICE_SHARES),
        country=_pick(traits[3], COUNTRY_SHARES),
        campaign=np.where(is_bot, 0, _pick(traits[4], CAMPAIGN_SHARES)),
        clock_off_ms=np.where(wrong, np.clip(off, -limit, limit), 0).astype(np.int64),
        starts_ms=tuple(starts),
        comes=tuple(comes),
    )


def _pick(uniform: Floats, shares: tuple[float, ...]) -> Ints:
    edges: npt.NDArray[np.float64] = np.cumsum(shares)[:-1]
    return np.searchsorted(edges, uniform, side="right").astype(np.int64)
