"""The consumer's direct delivery: who gets what, when it stops, what is committed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers import aiokafka
from faust.types import TP
from mode.utils.queues import FlowControlEvent

from processors.live.delivery import Consumer

RAW, OTHER = TP("raw", 0), TP("ticks", 0)
DEADLINE_S = 5


class Rig:
    """A consumer of `fetched`, whose direct deliveries are in `taken`; `crashes` has what ended the app."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fetched: dict[TP, list[int]] | None) -> None:
        self.taken: list[int] = []
        self.crashes: list[Exception] = []
        self.at: dict[int, Callable[[], object]] = {}  # what happens when a record is taken

        async def fetch(*_: Any) -> tuple[dict[TP, list[int]] | None, set[TP]]:
            return fetched, {RAW, OTHER}

        monkeypatch.setattr(aiokafka.Consumer, "_wait_next_records", fetch)
        self.consumer = Consumer.__new__(Consumer)
        self.consumer._take, self.consumer._taken, self.consumer._acknowledged = self.take, {RAW.topic}, {}
        self.consumer._stopped, self.consumer._crashed = asyncio.Event(), asyncio.Event()
        self.consumer.suspend_flow, self.consumer.flow_active = asyncio.Event(), True
        self.consumer._committed_offset, self.consumer._loop = defaultdict(lambda: None), asyncio.get_running_loop()
        self.consumer.app = SimpleNamespace(
            consumer_generation_id=1,
            flow_control=FlowControlEvent(initially_suspended=False),
            monitor=SimpleNamespace(stream_inbound_time={}),
            producer=SimpleNamespace(buffer=SimpleNamespace(wait_until_ebb=self._nothing)),
            crash=self._crash,
        )

    async def take(self, tp: TP, records: Sequence[int]) -> None:
        assert tp == RAW
        for record in records:
            self.at.get(record, lambda: None)()
            self.taken.append(record)

    async def _nothing(self) -> None: ...

    async def _crash(self, error: Exception) -> None:
        self.crashes.append(error)

    async def fetch(self) -> Any:
        rest, _ = await self.consumer._wait_next_records(1.0)
        return rest


async def test_records_of_taken_topics_come_in_order_and_all_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, {RAW: list(range(100)), OTHER: [1, 2]})
    assert await rig.fetch() == {OTHER: [1, 2]}
    assert rig.taken == list(range(100))


@pytest.mark.parametrize("nothing", [None, {}])
async def test_a_fetch_of_nothing_is_handed_on_as_it_is(monkeypatch: pytest.MonkeyPatch, nothing: Any) -> None:
    """Faust seeks back after an empty fetch while the flow is stopped, and not after none."""
    assert await Rig(monkeypatch, nothing).fetch() == nothing


async def test_others_have_their_turn_between_records(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, {RAW: list(range(100))})
    seen: set[int] = set()

    async def look() -> None:
        while len(rig.taken) < 100:
            seen.add(len(rig.taken))
            await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(rig.fetch(), look()), DEADLINE_S)
    assert len(seen) > 3


@pytest.mark.parametrize("change", ["flow", "generation"])
async def test_nothing_is_taken_any_more_when_partitions_begin_to_change_hands(
    monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    rig = Rig(monkeypatch, {RAW: list(range(100))})

    def revoke() -> None:
        if change == "flow":
            rig.consumer.flow_active = False
            rig.consumer.suspend_flow.set()
            rig.consumer.app.flow_control.suspend()
        else:
            rig.consumer.app.consumer_generation_id = 2

    rig.at[40] = revoke
    await asyncio.wait_for(rig.fetch(), DEADLINE_S)
    assert 40 < len(rig.taken) < 60


async def test_it_waits_until_the_tables_are_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, {RAW: [1]})
    rig.consumer.app.flow_control.suspend()
    fetching = asyncio.create_task(rig.fetch())
    for _ in range(10):
        await asyncio.sleep(0)
    assert rig.taken == []
    rig.consumer.app.flow_control.resume()
    await asyncio.wait_for(fetching, DEADLINE_S)
    assert rig.taken == [1]


async def test_an_error_ends_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, {RAW: list(range(100))})

    def fail() -> None:
        raise ValueError("no")

    rig.at[40] = fail
    with pytest.raises(ValueError, match="no"):
        await rig.fetch()
    assert [str(error) for error in rig.crashes] == ["no"]
    assert rig.taken == list(range(40))


async def test_what_is_acknowledged_is_committed_once_and_never_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, {})
    rig.consumer.acknowledge(RAW, 7)
    assert rig.consumer._filter_committable_offsets([]) == {RAW: 7}
    rig.consumer._committed_offset = {RAW: 7}
    assert rig.consumer._filter_committable_offsets([]) == {}
    rig.consumer.acknowledge(RAW, 6)
    assert rig.consumer._filter_committable_offsets([]) == {}


async def test_what_was_taken_away_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def revoked(*_: Any) -> None: ...

    monkeypatch.setattr(aiokafka.Consumer, "on_partitions_revoked", revoked)
    rig = Rig(monkeypatch, {})
    rig.consumer.acknowledge(RAW, 7)
    await rig.consumer.on_partitions_revoked({RAW})
    assert rig.consumer._acknowledged == {}


async def test_a_partition_whose_offset_is_being_reset_does_not_end_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust's look for stuck partitions asks aiokafka for a position, which asserts that there is one."""

    def no_position(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(aiokafka.Consumer, "verify_event_path", no_position)
    Rig(monkeypatch, {}).consumer.verify_event_path(0.0, RAW)
