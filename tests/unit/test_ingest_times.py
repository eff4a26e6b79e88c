"""Moments as clients write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.times import read_moment

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T12:00:00", NOON),
        ("2026-11-24 14:00:00+02:00", NOON),
        ("2026-11-24T06:30:00.000000-05:30", NOON),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T12:00:00.123999Z", NOON + timedelta(milliseconds=123)),
        (1_795_521_600, NOON),
        (1_795_521_600_000, NOON),
        (1_795_521_600.25, NOON + timedelta(milliseconds=250)),
        (1_795_521_600_000.9, NOON),
        (datetime(2026, 11, 24, 12), NOON),  # noqa: DTZ001  naive on purpose: it means UTC
        ("2015-06-01T00:00:00Z", datetime(2015, 6, 1, tzinfo=UTC)),
        ("2100-01-01T00:00:00Z", datetime(2100, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_utc_with_milliseconds(said: Any, moment: datetime) -> None:
    read = read_moment(said)
    assert read == moment
    assert read is not None
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "said",
    [
        "yesterday",
        "",
        "1795521600",
        "2026-13-01",
        "1970-01-01T00:00:00Z",
        "2300-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        0,
        -1,
        10**15,
        10**400,
        1e300,
        True,
        None,
        [],
        {},
    ],
)
def test_what_names_no_usable_moment_is_none(said: Any) -> None:
    assert read_moment(said) is None
