"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

_INTERVAL_S: Final = 0.05
_TOLD_MOST: Final = 20  # differences that a failure shows

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


def wait_until_same(differences: Callable[[], Sequence[str]], deadline_s: float, what: str) -> None:
    """Return when `differences()`, asked again and again, finds none.

    Raises:
        AssertionError: as `wait_for`, with a note of the first differences found last.
    """
    told: list[str] = []

    def same() -> bool:
        told[:] = differences()
        return not told

    try:
        wait_for(same, deadline_s, what)
    except AssertionError as late:
        late.add_note("\n".join(told[:_TOLD_MOST]))
        raise
