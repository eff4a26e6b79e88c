"""When a client's clock is corrected, by how much, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest import skew
from ingest.draft import Draft
from ingest.skew import ClockSkews

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NONE = timedelta()


def shift_of(skews: ClockSkews, behind: timedelta, who: str = "ann") -> timedelta:
    """The correction of an event of `who` in a request that arrives at noon, sent when its clock was `behind`."""
    shift = skews.of("shop", NOON - behind, NOON, otherwise="")
    return NONE if shift is None else shift(Draft(type="click", visitor_id=who))


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("behind", "shift"),
    [
        (NONE, NONE),
        (minutes(2.5), NONE),
        (minutes(5), NONE),
        (minutes(-5), NONE),
        (minutes(5.01), minutes(5)),
        (minutes(-5.01), minutes(-5)),
        (minutes(8), minutes(10)),
        (timedelta(hours=-3, seconds=7), timedelta(hours=-3)),
        (timedelta(days=-400), timedelta(days=-400)),
    ],
)
def test_only_a_clock_that_is_far_off_is_corrected_by_whole_steps(behind: timedelta, shift: timedelta) -> None:
    assert shift_of(ClockSkews(), behind) == shift


def test_without_a_time_of_sending_nothing_is_known_of_the_clock() -> None:
    assert ClockSkews().of("shop", None, NOON, otherwise="") is None


def test_a_client_s_correction_stays_whatever_its_requests_delay() -> None:
    skews = ClockSkews()
    assert shift_of(skews, minutes(7.4)) == minutes(5)
    assert shift_of(skews, minutes(7.6)) == minutes(5)
    assert shift_of(skews, minutes(7.6), "bob") == minutes(10)
    assert shift_of(skews, minutes(4.95), "eve") == NONE
    assert shift_of(skews, minutes(5.05), "eve") == NONE


def test_a_clock_that_was_set_is_corrected_anew() -> None:
    skews = ClockSkews()
    assert shift_of(skews, timedelta(hours=1)) == timedelta(hours=1)
    assert shift_of(skews, NONE) == NONE
    assert shift_of(skews, timedelta(hours=2)) == timedelta(hours=2)


def test_an_event_without_ids_is_its_address_s() -> None:
    skews = ClockSkews()
    for behind in (minutes(7.4), minutes(7.6)):
        shift = skews.of("shop", NOON - behind, NOON, otherwise="203.0.113.9")
        assert shift is not None
        assert shift(Draft(type="click")) == minutes(5)


def test_only_so_many_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skew, "_REMEMBERED", 10)
    skews = ClockSkews()
    for number in range(100):
        shift_of(skews, minutes(7.4), f"v{number}")
    assert len(skews._known) == 10
    shift_of(skews, NONE, "good clock")
    assert len(skews._known) == 10
