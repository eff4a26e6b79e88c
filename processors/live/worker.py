"""The live worker: the raw topics' records as they are fetched, a stream of ticks, one OwnedPartition per partition.

Everything here runs on Faust's event loop. State is dropped whenever partitions change hands and loaded from the table
when the next record of a partition arrives.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from faust.types import TP

from processors.domain.partition import Partition
from processors.domain.rules import Rules
from processors.live import memory
from processors.live.funnel_watch import FunnelError, FunnelWatch
from processors.live.gate import OffsetGate
from processors.live.output import Output
from processors.live.owned import OwnedPartition
from processors.live.retention import LogStarts
from processors.live.rewind import Rewinder, Silence
from processors.live.store import Store
from processors.live.tick import Frontiers, Tick, decode_tick, encode_frontiers, encode_tick
from schemas import topics
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.settings import Settings

log = get_logger(__name__)

_RAW_NAMES: Final = tuple(topic.name for topic in topics.RAW)


class LiveWorker:
    """Holds the partitions this process owns. `app` is the Faust app, `table` its one table."""

    def __init__(self, app: Any, table: Any, settings: Settings, rules: Rules, metrics: Metrics) -> None:
        self._app, self._settings, self._rules, self._metrics = app, settings, rules, metrics
        self._funnels = FunnelWatch(settings.funnels_dir, rules.funnels)
        self._store = Store(table)
        self._output = Output(app, settings.kafka.topic_prefix, settings.kafka.partitions, metrics)
        self._rewinder, self._silence, self._log_starts = Rewinder(app), Silence(), LogStarts(app)
        self._owned: dict[int, OwnedPartition] = {}
        self._joined = False
        self._hands = 0  # how often partitions changed hands
        self._loading = asyncio.Lock()
        prefix = settings.kafka.topic_prefix
        self._name_of = {topic.full_name(prefix): topic.name for topic in (*topics.RAW, topics.TICKS)}
        self._full_name = {name: full for full, name in self._name_of.items()}

    @property
    def output(self) -> Output:
        """Where rows go; the alert agent sends its records through it too."""
        return self._output

    @property
    def raw_topics(self) -> list[str]:
        """Full names of the topics whose records `take` gets."""
        return [self._full_name[name] for name in _RAW_NAMES]

    async def take(self, tp: TP, records: Sequence[Any]) -> None:
        """Apply records (aiokafka's ConsumerRecord) of one raw topic and partition, by offset."""
        owned = await self._owner(tp)
        if owned is not None:
            name = self._name_of[tp.topic]
            for record in records:
                owned.on_record(name, record.offset, record.value or b"")

    async def run(self, stream: Any) -> None:
        """The agent's body: every tick, one after the other."""
        async for event in stream.noack().events():
            await self.on_tick(event)

    async def on_tick(self, event: Any) -> None:
        """Let time pass in the tick's partition."""
        message = event.message
        owned = await self._owner(TP(message.topic, message.partition))
        if owned is None:
            return
        if (self._end(message.topic, message.partition) or 0) <= message.offset + 1:
            ends = {raw: self._end(self._full_name[raw], message.partition) or 0 for raw in _RAW_NAMES}
            await owned.on_tick(decode_tick(event.value).at, ends)
            await owned.head_start()
        event.ack()

    def _end(self, topic: str, partition: int) -> int | None:
        """One past the newest offset as of the last fetch; None before the first."""
        end: int | None = self._app.consumer.highwater(TP(topic, partition))
        return end

    async def _owner(self, tp: TP) -> OwnedPartition | None:
        """The state that records of `tp` belong to, loaded if need be; None when they are another worker's to read."""
        if tp.partition not in self._owned:
            async with self._loading:
                if tp.partition not in self._owned and tp in self._app.consumer.assignment():
                    await self._load(tp.partition)
        return self._owned.get(tp.partition)

    async def _load(self, first: int) -> None:
        """Load partition `first`, and with it all that are assigned: asking for offsets takes a second a call."""
        hands = self._hands
        partitions = [first, *(self.assigned() - self._owned.keys() - {first})]
        tps = [TP(self._full_name[name], partition) for partition in partitions for name in _RAW_NAMES]
        consumer = self._app.consumer
        starts, ends = await asyncio.gather(consumer.earliest_offsets(*tps), consumer.highwaters(*tps))
        if hands != self._hands:
            return  # the table may not have what is assigned now
        for partition in partitions:
            self._owned[partition] = self._take_over(partition, starts, ends)
        memory.give_back()

    def _take_over(self, partition: int, starts: Mapping[TP, int], ends: Mapping[TP, int]) -> OwnedPartition:
        loaded = self._store.load(partition, self._settings.live.buckets)
        wanted: dict[str, int] = {}
        doubt: dict[str, int] = {}
        for name in _RAW_NAMES:
            tp = TP(self._full_name[name], partition)
            start = starts.get(tp) or 0
            checkpoint = min(bucket.offsets.get(name, -1) for bucket in loaded.buckets) + 1
            wanted[name], doubt[name] = max(start, checkpoint), ends.get(tp) or 0
            if 0 < checkpoint < start:
                log.error("events lost to retention", topic=tp.topic, partition=partition, lost=start - checkpoint)
        state = Partition(
            partition, loaded.buckets, self._rules, doubt, step_times=loaded.step_times, minutes=loaded.minutes
        )
        for name, offset in wanted.items():
            state.skip_to(name, offset)
        state.remember(loaded.new_rows)
        log.info("partition loaded", partition=partition, wanted=wanted, visitors=state.visitors())
        acknowledge = functools.partial(self._acknowledge, partition)
        acknowledge({name: offset - 1 for name, offset in wanted.items()})
        return OwnedPartition(
            state,
            OffsetGate(wanted),
            store=self._store,
            output=self._output,
            metrics=self._metrics,
            flush=self._app.producer.flush,
            acknowledge=acknowledge,
            journal=(loaded.journal, loaded.next_journal),
            checkpoint_interval_ms=int(self._settings.live.checkpoint_interval_s * 1000),
        )

    def _acknowledge(self, partition: int, covered: Mapping[str, int]) -> None:
        for name, offset in covered.items():
            if offset >= 0:
                self._app.consumer.acknowledge(TP(self._full_name[name], partition), offset + 1)

    async def tick(self) -> None:
        """Produce one tick for each partition this worker owns. Call every tick_interval_s."""
        value = encode_tick(Tick(at=time.time_ns() // 1_000_000))
        for partition in self.assigned():
            await self._output.send_tick(topics.TICKS, partition, value)

    async def tell_alerts_the_time(self) -> None:
        """Say the frontiers of this worker's partitions to every `metrics` partition: a silent site needs a clock.

        Call every alert_agent.CLOCK_PERIOD_S.
        """
        frontiers = {number: owned.state.frontier for number, owned in self._owned.items() if owned.ticked}
        if not frontiers:
            return
        value = encode_frontiers(Frontiers(frontiers))
        for partition in range(self._settings.kafka.partitions):
            await self._output.send_tick(topics.METRICS, partition, value)

    async def reload_funnels(self) -> None:
        """Take in funnel files that have changed. Call every funnel_watch.PERIOD_S.

        What is not final is judged by the new definitions when it changes next; a broken file changes nothing.
        """
        try:
            funnels = self._funnels.changed()
        except FunnelError as error:
            self._metrics.counter("snag_live_funnel_reloads_total", "refused").inc()
            log.error("funnel file refused, the funnels before hold on", error=str(error))
            return
        if funnels is None:
            return
        self._rules = dataclasses.replace(self._rules, funnels=funnels)
        for owned in self._owned.values():
            owned.state.rules = self._rules
        self._metrics.counter("snag_live_funnel_reloads_total", "taken").inc()
        log.info("funnels reloaded", funnels={funnel.name: funnel.version for funnel in funnels})

    def assigned(self) -> set[int]:
        """Partition numbers assigned to this worker now."""
        ticks = self._full_name[topics.TICKS.name]
        return {tp.partition for tp in self._app.consumer.assignment() if tp.topic == ticks}

    async def rewind(self) -> None:
        """Close offset gaps, and fetch again what does not come. Call every rewind.PERIOD_S."""
        gaps = list(self._gaps())
        starts = await self._log_starts.of([tp for tp, _, _ in gaps if self._rewinder.in_vain(tp)])
        for tp, name, owned in gaps:
            lost = owned.gate.skip_to(name, starts.get(tp) or 0)
            if lost:
                owned.state.skip_to(name, owned.gate.wanted(name))
                log.error("events lost to retention", topic=tp.topic, partition=tp.partition, lost=lost)
        await self._rewinder.step((tp, owned.gate.wanted(name)) for tp, name, owned in gaps)

    def _gaps(self) -> Iterator[tuple[TP, str, OwnedPartition]]:
        for partition, owned in self._owned.items():
            for name in _RAW_NAMES:
                tp = TP(self._full_name[name], partition)
                silent = self._silence.holds(tp, owned.gate.wanted(name), self._end(*tp) or 0)
                if silent or name in owned.gate.gaps:
                    yield tp, name, owned

    def forget(self) -> None:
        """Drop all state: partitions are changing hands."""
        for owned in self._owned.values():
            owned.abandon()
        self._owned.clear()
        self._hands += 1
        self._rewinder.forget()
        self._silence.forget()

    def joined(self) -> None:
        """Partitions were assigned (perhaps none, when there are more workers than partitions)."""
        self.forget()
        self._joined = True

    def not_ready(self) -> str:
        """Why this worker is not ready: every assigned partition must be loaded and have seen a tick. "" when it is.

        Without a clock of its own it is ready when it has joined: nobody may have told the time yet.
        """
        # Called on the health server's thread: before Faust has joined, app.consumer would be made there, on a loop of
        # that thread, and the worker would hang.
        if not self._joined or self._app.rebalancing:
            return "waiting for the consumer group to assign partitions"
        if self._settings.live.clock == "topic":
            return ""
        waiting = sorted(p for p in self.assigned() if p not in self._owned or not self._owned[p].ticked)
        return f"partitions {waiting} have not been loaded yet" if waiting else ""

    def observe(self) -> None:
        """Bring the gauges up to date."""
        now = time.time_ns() // 1_000_000
        owned = list(self._owned.values())
        self._metrics.gauge("snag_live_visitors").set(sum(o.state.visitors() for o in owned))
        slowest = min((o.state.frontier for o in owned if o.ticked), default=now)
        self._metrics.gauge("snag_live_frontier_lag_seconds").set(max(0, now - slowest) / 1000)
