"""Faust's consumer with a cheaper delivery of records.

Faust 0.15.3 hands every record over in four tasks (the delivery itself and three that wait for a reason to give it up).
A delivery waits only when the stream's buffer is full, so it is first run as far as it goes by itself; only one that
waits gets the tasks. Measured: see bench/README.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from faust.transport.drivers import aiokafka


class _Begun:
    """The rest of a coroutine that has run up to its first wait."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        yield self._waits_for
        return (yield from self._coroutine.__await__())


class Consumer(aiokafka.Consumer):  # type: ignore[misc]  # Faust has no types
    """The consumer of Faust's aiokafka transport, but for `wait_first`."""

    async def wait_first(self, *coros: Any, **options: Any) -> Any:
        """As in Faust when the first of `coros` has to wait; else run it and let the stream take what came."""
        delivery, *others = coros
        if not isinstance(delivery, Coroutine):
            return await super().wait_first(*coros, **options)
        try:
            waits_for = delivery.send(None)
        except BaseException as ended:
            for other in others:
                other.close()
            if not isinstance(ended, StopIteration):
                raise
            await asyncio.sleep(0)
            return None
        return await super().wait_first(_Begun(delivery, waits_for), *others, **options)
