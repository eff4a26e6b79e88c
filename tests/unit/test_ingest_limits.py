"""Rate limits say when to come back; hot keys are found in bounded memory, and nobody else with them."""

from __future__ import annotations

import random

import pytest
from pydantic import ValidationError

from ingest import rate_limits
from ingest.hot_keys import WINDOW_MS, HotKeys
from ingest.rate_limits import RateLimits
from ingest.refusal import RequestError
from schemas.settings import LimitSettings


def refused(limits: RateLimits, ip: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        limits.check_ip(ip)
    return caught.value


def test_without_limits_nothing_is_counted() -> None:
    limits = RateLimits(LimitSettings())
    for _ in range(10_000):
        limits.check_ip("203.0.113.9")
        limits.check_key(b"wk")


def test_an_address_over_its_limit_is_told_when_to_come_back() -> None:
    limits = RateLimits(LimitSettings(requests_per_ip="3/hour"))
    for _ in range(3):
        limits.check_ip("203.0.113.9")
    error = refused(limits, "203.0.113.9")
    assert (error.status, error.code) == (429, "rate_limited")
    assert error.retry_after_s is not None
    assert 1 <= error.retry_after_s <= 3600
    assert "3 per 1 hour" in error.problem().detail
    limits.check_ip("203.0.113.10")


def test_an_ipv6_client_is_its_network() -> None:
    limits = RateLimits(LimitSettings(requests_per_ip="1/hour"))
    limits.check_ip("2001:db8:0:1::1")
    refused(limits, "2001:db8:0:1:ffff::2")
    limits.check_ip("2001:db8:0:2::1")


def test_a_write_key_has_a_limit_of_its_own() -> None:
    limits = RateLimits(LimitSettings(requests_per_key="1/hour"))
    limits.check_key(b"one")
    limits.check_key(b"two")
    with pytest.raises(RequestError, match="rate_limited"):
        limits.check_key(b"one")


def test_addresses_without_end_are_forgotten_and_keys_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_MAX_CLIENTS", 100)
    limits = RateLimits(LimitSettings(requests_per_ip="1/hour", requests_per_key="1/hour"))
    limits.check_key(b"one")
    for n in range(1000):
        limits.check_ip(f"203.0.{n // 256}.{n % 256}")
        assert len(limits._clients.storage) <= 100
    with pytest.raises(RequestError, match="rate_limited"):
        limits.check_key(b"one")


@pytest.mark.parametrize("text", ["10", "0/second", "10/fortnight", "10 per hour", "-1/second"])
def test_a_limit_that_cannot_be_read_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError):
        LimitSettings(requests_per_ip=text)


def is_hot(hot: HotKeys, who: str) -> bool:
    return hot.among("shop", ["", who, ""]) == [1]


def test_a_hot_key_is_found_and_people_beside_it_are_not() -> None:
    hot = HotKeys(100)
    hot.turn_to(0)
    flagged = [is_hot(hot, "robot") for _ in range(1000)]
    assert flagged.index(True) in range(50, 101)
    assert all(flagged[101:])
    assert not any(is_hot(hot, f"person {n}") for n in range(100_000) for _ in range(2))


def test_who_shares_a_cell_with_a_hot_key_is_not_hot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.hot_keys._CELLS", 1)
    hot = HotKeys(100)
    hot.turn_to(0)
    for _ in range(1000):
        is_hot(hot, "robot")
    assert not any(is_hot(hot, "person") for _ in range(50))


def test_a_key_stays_hot_while_it_goes_on_and_cools_down_after() -> None:
    hot = HotKeys(100)
    for minute in range(3):
        hot.turn_to(minute * WINDOW_MS)
        flagged = [is_hot(hot, "robot") for _ in range(200)]
        assert flagged[-1]
        assert flagged[0] is (minute > 0)
    hot.turn_to(3 * WINDOW_MS)
    assert is_hot(hot, "robot")
    hot.turn_to(4 * WINDOW_MS)
    assert not is_hot(hot, "robot")


def test_a_pause_cools_a_key_down() -> None:
    hot = HotKeys(10)
    hot.turn_to(0)
    assert [is_hot(hot, "robot") for _ in range(20)][-1]
    hot.turn_to(10 * WINDOW_MS)
    assert not is_hot(hot, "robot")


def test_memory_is_bounded_whatever_comes() -> None:
    hot = HotKeys(2)
    hot.turn_to(0)
    seeded = random.Random(7)
    for _ in range(200_000):
        is_hot(hot, str(seeded.getrandbits(64)))
    assert len(hot._suspects) <= 10_000
    assert len(hot._hot) <= 10_000
