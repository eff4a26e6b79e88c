"""Moments as clients write them, made UTC datetimes of millisecond precision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from schemas.event import EXACT_MS, from_ms

MIN_YEAR: Final = 1971
"""Earlier than any web client: such a clock was never set (it counts from 1970)."""

MAX_YEAR: Final = 2299
"""The last whole year that ClickHouse's DateTime64 holds."""

_MILLISECONDS_FROM: Final = 100_000_000_000
"""Numbers from here on are milliseconds (1973-03); below they are seconds (up to the year 5138)."""

_MAX_MS: Final = 10_413_792_000_000  # 2300-01-01

_WORTH_A_CALL: Final = 16  # it costs as much as some ten
_MOMENTS: Final = list[datetime | None]


def read_moment(value: Any) -> datetime | None:
    """The UTC moment that `value` (an aware or naive datetime, ISO 8601 text, or Unix seconds or milliseconds) names.

    Milliseconds are cut, not rounded. None when it is unreadable or outside the years MIN_YEAR to MAX_YEAR.
    """
    if type(value) is int and _MILLISECONDS_FROM <= value < _MAX_MS:  # what scripts in pages send
        return from_ms(value)
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, str):
        try:
            return _utc(datetime.fromisoformat(value.strip()))
        except ValueError:
            return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _MAX_MS:
        return _in_range(from_ms(int(value) if value >= _MILLISECONDS_FROM else round(value * 1000)))
    return None


def read_moments(values: Sequence[Any]) -> list[datetime | None]:
    """`read_moment` of each of `values`; many whole milliseconds take one call together, a third of one call each."""
    if (
        len(values) >= _WORTH_A_CALL
        and set(map(type, values)) == {int}
        and min(values) >= _MILLISECONDS_FROM
        and max(values) < EXACT_MS
    ):
        return msgspec.convert([value / 1000 for value in values], _MOMENTS, strict=False)
    return [read_moment(value) for value in values]


def _utc(moment: datetime) -> datetime | None:
    zone = moment.tzinfo
    if zone is UTC and not moment.microsecond % 1000:
        return _in_range(moment)
    if zone is None:
        moment = moment.replace(tzinfo=UTC)
    elif zone is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:  # the first or last hours of datetime's own range
            return None
    beyond = moment.microsecond % 1000
    return _in_range(moment.replace(microsecond=moment.microsecond - beyond) if beyond else moment)


def _in_range(moment: datetime) -> datetime | None:
    return moment if MIN_YEAR <= moment.year <= MAX_YEAR else None
