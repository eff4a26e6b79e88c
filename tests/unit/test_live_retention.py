"""Asking where logs begin: seldom, patiently, and not for ever."""

from __future__ import annotations

import pytest
from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from processors.live.retention import QUESTIONS, LogStarts
from tests.oracle.fakes import FakeApp, FakeProducer

A, B = TP("clickstream", 0), TP("errors", 1)


class Consumer:
    """Answers with its `starts`, or not at all."""

    def __init__(self) -> None:
        self.starts: dict[TP, int] | None = {A: 3, B: 0}
        self.asked: list[tuple[TP, ...]] = []

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        self.asked.append(tps)
        if self.starts is None:
            raise KafkaTimeoutError("no answer")
        return {tp: self.starts[tp] for tp in tps}


def make() -> tuple[LogStarts, Consumer]:
    consumer = Consumer()
    return LogStarts(FakeApp(FakeProducer(), consumer)), consumer


async def test_the_start_of_each_log_is_told() -> None:
    starts, _ = make()
    assert await starts.of([A, B]) == {A: 3, B: 0}


async def test_nothing_is_asked_for_nothing() -> None:
    starts, consumer = make()
    assert await starts.of([]) == {}
    assert consumer.asked == []


async def test_a_question_without_answer_is_asked_again_and_then_given_up() -> None:
    starts, consumer = make()
    consumer.starts = None
    for _ in range(QUESTIONS - 1):
        assert await starts.of([A]) == {}
    with pytest.raises(KafkaTimeoutError):
        await starts.of([A])


async def test_an_answer_gives_new_patience() -> None:
    starts, consumer = make()
    consumer.starts = None
    assert await starts.of([A]) == {}
    consumer.starts = {A: 3}
    assert await starts.of([A]) == {A: 3}
    consumer.starts = None
    assert await starts.of([A]) == {}
