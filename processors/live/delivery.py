"""Faust's consumer, which hands the records of some topics over as they were fetched.

Faust 0.15.3 carries each record through a generator, a conductor, a queue, a stream and an acknowledgement of its own:
a fifth of the live worker's CPU when a record holds 20 events. What the raw topics need of it is done here for many
records at once: waiting while partitions change hands or the producer is full, turns for everybody else, commits.
Measured: see bench/README.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Final

from faust.transport.drivers import aiokafka
from faust.types import TP

Take = Callable[[TP, Sequence[Any]], Awaitable[None]]
"""Applies records (aiokafka's ConsumerRecord) of one partition of one topic, by offset."""

_AT_ONCE: Final = 16  # records between two turns of the loop: some milliseconds of work when each holds 20 events


class Consumer(aiokafka.Consumer):  # type: ignore[misc]  # Faust has no types
    """The consumer of Faust's aiokafka transport, but for the topics that are taken directly.

    These are neither acknowledged nor dropped as read before: `take` knows which offsets it wants, and `acknowledge`
    says which it needs no more.
    """

    def __init__(self, *args: Any, take: Take, topics: Collection[str], **options: Any) -> None:
        """`topics`: full names of those that `take` gets; all others go to their streams as ever."""
        super().__init__(*args, **options)
        self._take, self._taken = take, frozenset(topics)
        self._acknowledged: dict[TP, int] = {}

    def acknowledge(self, tp: TP, offset: int) -> None:
        """Have `offset` committed soon: all records of `tp` before it are done with."""
        self._acknowledged[tp] = offset

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Partitions are taken away; whoever owns them next commits for them."""
        for tp in revoked:
            self._acknowledged.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Log when `tp` seems stuck, as Faust does; while its offset is being reset there is nothing to check."""
        with contextlib.suppress(AssertionError):  # aiokafka's, that there is a position; it ended the worker
            super().verify_event_path(now, tp)

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        found: dict[TP, int] = super()._filter_committable_offsets(tps)
        return found | {tp: end for tp, end in self._acknowledged.items() if self._should_commit(tp, end)}

    async def _wait_next_records(
        self,
        timeout: float,  # noqa: ASYNC109  Faust's own
    ) -> tuple[dict[TP, list[Any]] | None, set[TP] | None]:
        fetched: dict[TP, list[Any]] | None
        fetched, active = await super()._wait_next_records(timeout)
        if not fetched:
            return fetched, active
        generation = self.app.consumer_generation_id
        for tp, records in fetched.items():
            if tp.topic in self._taken:
                await self._hand_over(tp, records, generation)
        return {tp: records for tp, records in fetched.items() if tp.topic not in self._taken}, active

    async def _hand_over(self, tp: TP, records: Sequence[Any], generation: int) -> None:
        """Give `records` to `take`, unless partitions begin to change hands: then who owns `tp` reads them again."""
        self.app.monitor.stream_inbound_time[tp] = time.monotonic()  # or Faust says that the stream sleeps
        for start in range(0, len(records), _AT_ONCE):
            if not self.app.flow_control.is_active():
                await self.wait_first(self.app.flow_control.acquire(), self.suspend_flow.wait())
            await self.app.producer.buffer.wait_until_ebb()
            if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                return
            try:
                await self._take(tp, records[start : start + _AT_ONCE])
            except Exception as error:
                # A record half applied: a new process starts from the checkpoint.
                await self.app.crash(error)
                raise
            await asyncio.sleep(0)
