"""`python -m bench.collector`: the collector beside a floor and the OpenTelemetry Collector, one broker, acks=all.

wrk posts the same events of about 400 bytes to each. The floor is the same server, batcher and producer that never look
into a body. The OpenTelemetry Collector (Go) takes them as OTLP log records and checks nothing about them.

On a machine that shares its cores with strangers one and the same work takes once or twice the CPU time from minute to
minute. So all take turns, and a line of the table is the best reading of its rounds; each is told as it comes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from bench.collector import otel, outage
from bench.collector.load import Reading, wrk
from bench.collector.subjects import Subject, otel_collector, ours
from bench.memory import warm
from tests.support.stack import kafka_broker

Line = tuple[str, int, int]
"""A line of the table: name, events in a body, connections."""

SIZES = [1, 50]
WARM_UP_S = 2
HEADS = (
    *("", "events/body", "connections", "requests/s", "events/s", "p50 ms", "p99 ms"),
    *("CPU s/M events", "peak MiB", "broker's CPU s/M events"),
)


def subjects(directory: Path, bootstrap: str, binary: Path | None) -> Iterator[AbstractContextManager[Subject]]:
    """Each one, started when it is entered, with what it keeps in a new `directory`."""
    directory.mkdir()
    yield ours("floor", directory / "floor", bootstrap, SIZES, module="bench.collector.floor")
    yield ours("Snag, 1 process", directory / "one", bootstrap, SIZES)
    yield ours("Snag, 2 processes", directory / "two", bootstrap, SIZES, processes=2)
    if binary is not None:
        yield otel_collector(directory / "otel", bootstrap, SIZES, binary)


def readings(
    entering: AbstractContextManager[Subject], connections: list[int], seconds: int, broker_pid: int, only: str
) -> Iterator[tuple[Line, Reading]]:
    """One reading of each line of a subject that has `only` in its name, after a warm-up."""
    with entering as subject:
        if only not in subject.name:
            return
        for size, bodies in subject.bodies.items():
            for count in connections:
                for duration_s in (WARM_UP_S, seconds):
                    reading = wrk(
                        subject.url,
                        bodies,
                        connections=count,
                        seconds=duration_s,
                        events_per_body=size,
                        pid=subject.process.pid,
                        broker_pid=broker_pid,
                    )
                yield (subject.name, size, count), reading


def row(name: str, size: int, connections: int, reading: Reading) -> str:
    """One line of the table; errors are said beside the name."""
    if reading.refused or reading.failed:
        name += f" ({reading.refused} refused, {reading.failed} failed)"
    cells = (
        *(name, size, connections, f"{reading.requests_per_s:,.0f}", f"{reading.events_per_s:,.0f}"),
        *(reading.p50_ms, reading.p99_ms, reading.cpu_s_per_million_events, reading.peak_memory_mib),
        reading.broker_cpu_s_per_million_events,
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each reading")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    parser.add_argument("--no-outage", action="store_true")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "snag-bench" / "otelk"
    parser.add_argument("--otel-dir", type=Path, default=cache, help="where the OpenTelemetry Collector is built")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    binary = otel.built(args.otel_dir)
    if binary is None:
        print("NOT MEASURED: the OpenTelemetry Collector; building it needs Go.", file=sys.stderr)
    warm()
    with tempfile.TemporaryDirectory(prefix="snag-bench-") as name:
        directory = Path(name)
        with kafka_broker(directory / "broker") as broker:
            best: dict[Line, Reading] = {}
            for turn in range(args.rounds):
                for entering in subjects(directory / str(turn), broker.bootstrap, binary):
                    for line, reading in readings(entering, args.connections, args.seconds, broker.pid, args.only):
                        print(row(*line, reading), file=sys.stderr, flush=True)
                        if line not in best or best[line].requests_per_s < reading.requests_per_s:
                            best[line] = reading
            print("\n| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS))
            for line, reading in best.items():
                print(row(*line, reading), flush=True)
            if not args.no_outage:
                with ours("Snag, 1 process", directory / "outage", broker.bootstrap, SIZES) as subject:
                    found = outage.measure(subject, broker, connections=64, seconds=args.seconds)
                for size, reading in found.away.items():
                    print(row("Snag, broker away", size, 64, reading))
                print(
                    f"\nDrained {found.spooled_events:,} events in {found.drain_s:.1f} s: "
                    f"{found.drained_events_per_s:,} events/s"
                )


if __name__ == "__main__":
    main()
