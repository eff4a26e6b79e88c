"""A partition this worker owns: records through the gate into the state, ticks into rows and checkpoints.

A tick does, in this order:
    1. wait until Kafka has everything the last tick said
    2. write the minutes that changed, then some of the buckets (a checkpoint round spreads over several ticks)
    3. at the end of a round write the meta record, flush, and acknowledge the offsets the round covers
    4. move the frontier and work out the rows that changed
    5. in the background: write the journal of new row ids, wait for Kafka to have it, send the rows
So a blob never claims a row was said that Kafka does not have, and no row is sent that the journal does not know.
Records may be applied wherever a tick waits, which is before and after a step but never within one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
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
# Journal and rows need turns of the loop and the broker's answers: 50 ms on a free core, more on a busy one.
_HEAD_START_S: Final = 0.2


@dataclass
class _Round:
    """A checkpoint round under way: offsets as they were when it began, buckets still to write."""

    offsets: dict[str, int]
    todo: list[int]
    per_tick: int
    journal: int


class OwnedPartition:
    """Glue around one `Partition`: gate, journal, checkpoint rounds and what they acknowledge."""

    def __init__(
        self,
        state: Partition,
        gate: OffsetGate,
        *,
        store: Store,
        output: Output,
        metrics: Metrics,
        flush: Any,
        acknowledge: Callable[[Mapping[str, int]], None],
        journal: tuple[int, int],
        checkpoint_interval_ms: int,
    ) -> None:
        """`acknowledge` takes, by raw topic, the last offset that the checkpoint in Kafka covers."""
        self.state, self.gate = state, gate
        self._store, self._output, self._metrics, self._flush = store, output, metrics, flush
        self._acknowledge, self._covered = acknowledge, gate.applied()
        self._count_applied = {name: metrics.counter("snag_live_events_total", name).inc for name in self._covered}
        self._journal_first, self._journal_next = journal
        self._interval_ms = checkpoint_interval_ms
        self._round: _Round | None = None
        self._round_at = 0
        self._saying: asyncio.Task[None] | None = None
        self._largest_bytes = 0
        self.ticked = False

    def on_record(self, name: str, offset: int, value: bytes) -> None:
        """Apply one record of the raw topic `name` (without prefix) if it is the next one."""
        verdict = self.gate.admit(name, offset)
        if verdict is not Verdict.NEXT:
            if verdict is Verdict.GAP:
                self._metrics.counter("snag_live_gaps_total", name).inc()
            return
        lines, bad = decode_lines(value)
        counts = self.state.apply(name, offset, lines)
        self._count_applied[name](counts.applied)
        if counts.repeated:
            self._metrics.counter("snag_live_duplicates_total", name).inc(counts.repeated)
        if bad:
            self._metrics.counter("snag_live_undecodable_lines_total", name).inc(bad)

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

    async def head_start(self) -> None:
        """Give what is being said a moment to go out, before other partitions' ticks take the loop for seconds."""
        if self._saying is not None:
            await asyncio.wait({self._saying}, timeout=_HEAD_START_S)

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
            applied = self.gate.applied()
            if now - self._round_at < self._interval_ms or (applied == self._covered and not self.state.changed):
                return
            self._round_at = now
            todo = sorted(self.state.changed)
            self._round = _Round(
                offsets=applied,
                todo=todo,
                per_tick=-(-len(todo) // _ROUND_TICKS),
                journal=self._journal_next,
            )
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
            self._covered = under_way.offsets
            self._acknowledge(self._covered)
            memory.give_back()
            self._metrics.counter("snag_live_checkpoints_total").inc()
