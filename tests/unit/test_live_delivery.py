"""The consumer's delivery: what need not wait makes no task, what waits is given up as in Faust."""

from __future__ import annotations

import asyncio

import pytest

from processors.live.delivery import Consumer


async def wait_first(*coros: object) -> object:
    return await Consumer.wait_first(_consumer(), *coros)


def _consumer() -> Consumer:
    consumer = Consumer.__new__(Consumer)
    consumer._stopped, consumer._crashed = asyncio.Event(), asyncio.Event()
    consumer._loop = asyncio.get_running_loop()
    return consumer


async def test_a_delivery_that_need_not_wait_is_made_without_a_task() -> None:
    made: list[str] = []

    async def deliver() -> None:
        made.append("record")
        assert len(asyncio.all_tasks()) == 1

    await wait_first(deliver(), asyncio.Event().wait())
    assert made == ["record"]


async def test_the_stream_has_its_turn_after_each_delivery() -> None:
    seen: list[int] = []
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def stream() -> None:
        while True:
            seen.append(await queue.get())

    task = asyncio.create_task(stream())
    await asyncio.sleep(0)
    for n in range(3):
        await wait_first(queue.put(n), asyncio.Event().wait())
    await asyncio.sleep(0)
    task.cancel()
    assert seen == [0, 1, 2]


async def test_a_delivery_that_waits_is_finished_when_it_can() -> None:
    full: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    await full.put(0)
    waiting = asyncio.create_task(wait_first(full.put(1), asyncio.Event().wait()))
    await asyncio.sleep(0)
    assert full.get_nowait() == 0
    await asyncio.wait_for(waiting, 5)
    assert full.get_nowait() == 1


async def test_a_delivery_that_waits_is_given_up_when_the_flow_is_suspended() -> None:
    full: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    await full.put(0)
    suspended = asyncio.Event()
    waiting = asyncio.create_task(wait_first(full.put(1), suspended.wait()))
    await asyncio.sleep(0)
    suspended.set()
    await asyncio.wait_for(waiting, 5)
    full.get_nowait()
    await asyncio.sleep(0)
    assert full.empty()


async def test_an_error_of_a_delivery_is_raised() -> None:
    async def deliver() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await wait_first(deliver(), asyncio.Event().wait())
