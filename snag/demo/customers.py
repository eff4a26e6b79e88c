"""Customers who come one after the other at a rate, each with an intent of their own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from snag.demo.intent import Intent, draw
from snag.demo.plain_tab import PlainTab
from snag.demo.transport import Transport
from snag.demo.walk import walk

Visit = Callable[[Intent], Awaitable[str]]
"""One visit; returns where it ended."""


async def come(visit: Visit, random: Random, *, rate: float, count: int | None, at_once: int) -> Counter[str]:
    """Let `count` customers (None: without end) come, `rate` a second on average, at most `at_once` at a time.

    Returns how often visits ended where; one that breaks off counts under the name of its exception.
    """
    ended: Counter[str] = Counter()
    room = asyncio.Semaphore(at_once)

    async def one(intent: Intent) -> None:
        try:
            ended[await visit(intent)] += 1
        except Exception as error:  # one customer's bad luck, such as a shop that closes, is not the next one's
            ended[f"broke off: {type(error).__name__}"] += 1
        finally:
            room.release()

    async with asyncio.TaskGroup() as customers:
        due = time.monotonic()
        while count is None or count > 0:
            await room.acquire()
            customers.create_task(one(draw(random)))
            count = None if count is None else count - 1
            due = max(due + random.expovariate(rate), time.monotonic() - 1)  # a pause of the machine is not caught up
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return ended


def plain_visit(transport: Transport) -> Visit:
    """Visits without a browser over `transport`."""

    async def visit(intent: Intent) -> str:
        return await walk(
            PlainTab(transport, on_phone=intent.on_phone, now=time.time, sleep=asyncio.sleep), intent, time.monotonic
        )

    return visit
