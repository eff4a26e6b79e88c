"""The domain's rules under Bytewax: a stateful operator keyed by partition, its state in Bytewax's recovery store.

All rules: the state of a key is the domain's own `Partition`. Snapshots as often as the live worker's checkpoints.

usage: -m bench.live.peers.bytewax_flow BOOTSTRAP PREFIX OUT_PREFIX   reads the raw topics to their end;
prints {"events", "seconds", "cpu_s"}; both until every row is in Kafka
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from bench.live.stopwatch import Stopwatch
from processors.domain.bucket import Bucket
from processors.domain.fact import decode_lines
from processors.domain.funnels.patience import StepTimes
from processors.domain.minutes import Minutes
from processors.domain.partition import Partition
from processors.domain.rules import Rules
from processors.live.output import batches
from schemas import topics
from schemas.funnel import load_funnels

_BUCKETS: Final = 32  # as the live worker's setting has it
_TICK_S: Final = 1.0
_EPOCH_S: Final = 20.0
_RAW: Final = tuple(topic.name for topic in topics.RAW)
_LATER_MS: Final = 60_000  # after the end nothing is held back any more

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Rest:
    """A partition at rest: blobs of its buckets, records of its minutes, offsets by topic."""

    number: int
    blobs: tuple[bytes, ...]
    minutes: dict[int, bytes]
    applied: dict[str, int]
    step_times: bytes


class Live(StatefulBatchLogic[Any, tuple[str, bytes], Rest]):
    """One partition's rules."""

    def __init__(self, rules: Rules, prefix: str, watch: Stopwatch, rest: Rest | None) -> None:
        self._rules, self._prefix, self._watch = rules, prefix, watch
        self._applied = dict(rest.applied) if rest else {}
        self._records = dict(rest.minutes) if rest else {}
        self._blobs = list(rest.blobs) if rest else [b""] * _BUCKETS
        self._state = self._take_up(rest.number, StepTimes.load(rest.step_times)) if rest else None
        self._due = datetime.now(UTC)

    def _take_up(self, number: int, step_times: StepTimes) -> Partition:
        buckets = [Bucket.load(blob, i) if blob else Bucket(i) for i, blob in enumerate(self._blobs)]
        minutes = Minutes(self._records, self._applied)
        return Partition(number, buckets, self._rules, {}, step_times=step_times, minutes=minutes)

    def on_batch(self, values: list[Any]) -> tuple[Iterable[tuple[str, bytes]], bool]:
        """Apply records."""
        self._watch.start()
        if self._state is None:
            self._state = self._take_up(values[0].partition, StepTimes())
        for message in values:
            name = message.topic.removeprefix(self._prefix)
            lines, _ = decode_lines(message.value)
            self._watch.count(self._state.apply(name, message.offset, lines).applied)
            self._applied[name] = message.offset
        return (), self.RETAIN

    def on_notify(self) -> tuple[Iterable[tuple[str, bytes]], bool]:
        """Let time pass."""
        self._due = datetime.now(UTC) + timedelta(seconds=_TICK_S)
        return self._tick(0, at_end=False), self.RETAIN

    def on_eof(self) -> tuple[Iterable[tuple[str, bytes]], bool]:
        """Say what is left."""
        return self._tick(_LATER_MS, at_end=True), self.RETAIN

    def notify_at(self) -> datetime | None:
        """The next tick."""
        return self._due

    def snapshot(self) -> Rest:
        """The state at rest; only what changed is packed again."""
        assert self._state is not None  # noqa: S101  a key comes into being with its first batch
        for index in sorted(self._state.changed):
            self._blobs[index] = self._state.dump(index, self._applied)
        for at, record in self._state.minutes.changes(self._applied):
            if record is None:
                self._records.pop(at, None)
            else:
                self._records[at] = record
        step_times = self._state.step_times.dump()
        return Rest(self._state.number, tuple(self._blobs), dict(self._records), dict(self._applied), step_times)

    def _tick(self, later_ms: int, *, at_end: bool) -> list[tuple[str, bytes]]:
        assert self._state is not None  # noqa: S101  a key comes into being with its first batch
        now = time.time_ns() // 1_000_000
        self._state.advance(now, dict.fromkeys(_RAW, at_end))
        emission = self._state.emit(now + later_ms)
        said = [(name, value) for name, rows in emission.rows.items() for value in batches(rows)]
        return said + [(topics.METRICS.name, _encode(metric)) for metric in emission.metrics]


def main(bootstrap: str, prefix: str, out_prefix: str) -> None:
    """Run to the end of the topics."""
    watch, rules = Stopwatch(), Rules(funnels=load_funnels())
    flow = Dataflow("live")
    raw = [f"{prefix}{name}" for name in _RAW]
    records = op.input("in", flow, KafkaSource([bootstrap], raw, tail=False, batch_size=1000))
    keyed = op.key_on("partition", records, lambda message: str(message.partition))
    rows = op.stateful_batch("rules", keyed, lambda rest: Live(rules, prefix, watch, rest))

    def message(row: tuple[str, tuple[str, bytes]]) -> KafkaSinkMessage[bytes | None, bytes | None]:
        partition, (name, value) = row
        return KafkaSinkMessage(None, value, topic=f"{out_prefix}{name}", partition=int(partition))

    op.output("out", op.map("message", rows, message), KafkaSink([bootstrap], topic=None))
    with tempfile.TemporaryDirectory() as directory:
        init_db_dir(Path(directory), 1)
        run_main(flow, epoch_interval=timedelta(seconds=_EPOCH_S), recovery_config=RecoveryConfig(directory))
    sys.stdout.buffer.write(watch.result())


if __name__ == "__main__":
    main(*sys.argv[1:4])
