from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from processors.writer.delivery import Backoff, Delivery
from processors.writer.feed import Feed
from processors.writer.insert import UnavailableError
from processors.writer.rejection import RejectError
from schemas.metrics import Metrics
from tests.support.wait import wait_for

DEADLINE_S = 10


class Gate:
    """An insert that waits until it is let through."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.bodies: list[bytes] = []

    def insert(self, body: bytes, token: str) -> None:
        assert self.open.wait(DEADLINE_S)
        self.bodies.append(body)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def feed(insert: Callable[[bytes, str], None], **options: Any) -> Feed:
    delivery = Delivery("clickstream", insert, None, Backoff(0.001, 0.001), Metrics())
    return Feed("clickstream", delivery, **({"interval_s": 1.0, "max_bytes": 100} | options))


def landed(feed: Feed) -> dict[int, int]:
    return wait_for(feed.collect, DEADLINE_S, "the delivery ends")


def test_a_delivery_is_due_an_interval_after_the_first_record_or_when_the_buffer_is_full(gate: Gate) -> None:
    made = feed(gate.insert)
    assert made.due_in_s(10.0) is None
    made.add(0, 1, b"x", 0, now_s=10.0)
    made.add(0, 2, b"x", 0, now_s=10.5)
    assert made.due_in_s(10.6) == pytest.approx(0.4)
    assert made.due_in_s(12.0) == 0
    made.add(0, 3, b"x" * 100, 0, now_s=10.6)
    assert made.due_in_s(10.6) == 0
    assert made.blocked


def test_offsets_come_only_after_the_insert_and_one_insert_flies_at_a_time(gate: Gate) -> None:
    made = feed(gate.insert)
    made.add(0, 1, b"a", 0, now_s=0)
    made.launch()
    made.add(0, 2, b"b", 0, now_s=0)
    made.launch()
    assert made.due_in_s(100) is None
    assert made.collect() == {}
    gate.open.set()
    assert landed(made) == {0: 2}
    assert gate.bodies == [b"a"]
    made.launch()
    assert landed(made) == {0: 3}
    assert gate.bodies == [b"a", b"b"]
    assert made.idle


def test_a_lost_partition_is_neither_written_from_the_buffer_nor_committed_by_the_insert_under_way(gate: Gate) -> None:
    made = feed(gate.insert)
    made.add(0, 1, b"a", 0, now_s=0)
    made.add(1, 5, b"b", 0, now_s=0)
    made.launch()
    made.add(0, 2, b"c", 0, now_s=0)
    made.keep({1})
    gate.open.set()
    assert landed(made) == {1: 6}
    assert made.idle


def test_when_all_its_partitions_are_lost_an_insert_is_given_up() -> None:
    def insert(body: bytes, token: str) -> None:
        raise UnavailableError("down")

    made = feed(insert)
    made.add(0, 1, b"a", 0, now_s=0)
    made.launch()
    wait_for(lambda: made.blocked, DEADLINE_S, "the outage is seen")
    made.keep(())
    wait_for(lambda: made.collect() == {} and made.idle, DEADLINE_S, "the delivery ends")
    assert not made.blocked


def test_what_makes_a_delivery_impossible_reaches_the_loop() -> None:
    def insert(body: bytes, token: str) -> None:
        raise RejectError("no way to keep it")

    made = feed(insert)
    made.add(0, 1, b"a", 0, now_s=0)
    made.launch()

    def ended() -> str:
        try:
            made.collect()
        except RejectError as error:
            return str(error)
        return ""

    assert wait_for(ended, DEADLINE_S, "the delivery ends") == "no way to keep it"
