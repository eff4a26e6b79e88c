"""A partition this worker owns: records through the gate into the state, ticks into rows and checkpoints.

A tick does, in this order:
    1. wait until Kafka has everything the last tick said
    2. write the minutes that changed, then some of the buckets (a checkpoint round spreads over several ticks)
    3. at the end of a round write the meta record, flush, and acknowledge the events the round covers
    4. move the frontier and work out the rows that changed
    5. in the background: write the journal of new row ids, wait for Kafka to have it, send the rows
So a blob never claims a row was said that Kafka does not have, and no row is sent that the journal does not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from processors.domain.emission import Emission
from processors.domain.fact import decode_lines
from processors.domain.partition import Partition
from processors.live import memory
from processors.live.gate import OffsetGate, Verdict
from processors.live.output import Output
from processors.live.store import Meta, Store
from schemas.metrics import Metrics

_ROUND_TICKS: Final = 5  # a round's writes are spread over this many ticks, so that none stops the stream for long


@dataclass
class _Round:
    """A checkpoint round under way: offsets and events as they were when it began, buckets still to write."""

    offsets: dict[str, int]
    events: list[Any]
    todo: list[int]
    per_tick: int
    journal: int


class OwnedPartition:
    """Glue around one `Partition`: gate, journal, checkpoint rounds and the acknowledgement of Faust events."""

    def __init__(
        self,
        state: Partition,
        gate: OffsetGate,
        *,
        store: Store,
        output: Output,
        metrics: Metrics,
        flush: Any,
        journal: tuple[int, int],
        checkpoint_interval_ms: int,
    ) -> None:
        self.state, self.gate = state, gate
        self._store, self._output, self._metrics, self._flush = store, output, metrics, flush
        self._journal_first, self._journal_next = journal
        self._interval_ms = checkpoint_interval_ms
        self._pending: list[Any] = []
        self._round: _Round | None = None
        self._round_at = 0
        self._saying: asyncio.Task[None] | None = None
        self._largest_bytes = 0
        self.ticked = False

    def on_record(self, name: str, event: Any) -> None:
        """Apply one record of the raw topic `name` (without prefix) if it is the next one."""
        verdict = self.gate.admit(name, event.message.offset)
        if verdict is Verdict.REPEAT:
            event.ack()
            return
        if verdict is Verdict.GAP:
            self._metrics.counter("snag_live_gaps_total", name).inc()
            return
        lines, bad = decode_lines(event.value)
        counts = self.state.apply(name, event.message.offset, lines)
        self._metrics.counter("snag_live_events_total", name).inc(counts.applied)
        if counts.repeated:
            self._metrics.counter("snag_live_duplicates_total", name).inc(counts.repeated)
        if bad:
            self._metrics.counter("snag_live_undecodable_lines_total", name).inc(bad)
        event.value = event.message.value = None  # until it is acknowledged only its offset matters
        self._pending.append(event)

    async def on_tick(self, now: int, ends: Mapping[str, int]) -> None:
        """Let time pass to `now` (Unix ms); `ends`: by raw topic, the offset one past the newest record."""
        await self.settle()
        await self._checkpoint(now)
        self.state.advance(now, {topic: self.gate.wanted(topic) >= end for topic, end in ends.items()})
        emission = self.state.emit(now)
        if emission.rows or emission.metrics:
            self._saying = asyncio.create_task(self._say(emission))
        self.ticked = True

    async def settle(self) -> None:
        """Wait until Kafka has everything said so far. Raises what the sending raised."""
        if self._saying is not None:
            saying, self._saying = self._saying, None
            await saying

    def abandon(self) -> None:
        """The partition changes hands: stop talking. The next owner finds in the journal what may have been said."""
        if self._saying is not None:
            self._saying.cancel()

    async def _say(self, emission: Emission) -> None:
        if emission.new_rows:
            number, self._journal_next = self._journal_next, self._journal_next + 1
            await self._store.save_journal(self.state.number, number, emission.new_rows)
        await self._output.send(self.state.number, emission, max(self.state.received.values(), default=0))

    async def _checkpoint(self, now: int) -> None:
        if self.state.catching_up:
            return
        if self._round is None:
            if now - self._round_at < self._interval_ms or not (self._pending or self.state.changed):
                return
            self._round_at = now
            todo = sorted(self.state.changed)
            self._round = _Round(
                offsets=self.gate.applied(),
                events=self._pending,
                todo=todo,
                per_tick=-(-len(todo) // _ROUND_TICKS),
                journal=self._journal_next,
            )
            self._pending = []
        under_way = self._round
        self._store.save_minutes(self.state.number, self.state.minutes, self.gate.applied())
        for index in under_way.todo[: under_way.per_tick]:
            blob = self.state.dump(index, self.gate.applied())
            self._largest_bytes = max(self._largest_bytes, self._store.save_bucket(self.state.number, index, blob))
            self._metrics.gauge("snag_live_blob_bytes_max").set(self._largest_bytes)
        del under_way.todo[: under_way.per_tick]
        if not under_way.todo:
            self._round = None
            meta = Meta(under_way.offsets, len(self.state.buckets), under_way.journal)
            self._store.save_step_times(self.state.number, self.state.step_times)
            self._store.save_meta(self.state.number, meta, self._journal_first)
            self._journal_first = under_way.journal
            await self._flush()
            for event in under_way.events:
                event.ack()
            memory.give_back()
            self._metrics.counter("snag_live_checkpoints_total").inc()
