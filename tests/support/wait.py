"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

_INTERVAL_S: Final = 0.05

_T = TypeVar("_T")


def wait_for(condition: Callable[[], _T], deadline_s: float, what: str) -> _T:
    """The first true value of `condition`, which is asked again and again.

    An exception of the condition counts as "not yet" and is shown if the deadline passes.

    Raises:
        AssertionError: `deadline_s` seconds passed; names `what`, the last value and the last exception.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        value, problem = None, None
        try:
            value = condition()
        except Exception as error:  # any failure of a server that is starting is "not yet"
            problem = error
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not so after {deadline_s} s; last value {value!r}") from problem
        time.sleep(_INTERVAL_S)


async def until(condition: Callable[[], bool], deadline_s: float = 30) -> None:
    """Return once `condition` holds, letting the event loop run meanwhile. Raises TimeoutError after `deadline_s`."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110  conditions are of parts that know nothing of this test
            await asyncio.sleep(0.005)
