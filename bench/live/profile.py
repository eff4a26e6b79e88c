"""`python -m bench.live.profile`: where the live worker's CPU goes while it works through a backlog.

py-spy (a development tool: `pip install py-spy`) samples the running worker. Printed: CPU and GIL of every thread, then
the main thread's time by part of the pipeline (the innermost frame that names one) and by function (self time).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Final

import psutil

from bench.live.fill import fill
from bench.live.worker import Worker, live_worker
from tests.support.stack import kafka_broker

_RATE_HZ: Final = 200
_FUNCTIONS_SHOWN: Final = 45

PARTS: Final = (  # the first whose pattern is found in a stack, looked for from the innermost frame outwards
    ("decode the lines", r"decode_lines \(processors/domain/fact"),
    ("facts", r"to_fact \(|campaign_of \(|(read|keep)\w* \(processors/domain/props"),
    ("error rates: count", r"\(processors/domain/(minutes|rates)\.py"),
    ("snapshot: friction", r"\(processors/domain/friction/"),
    ("snapshot: funnels", r"\(processors/domain/funnels/"),
    ("snapshot: session row", r"\(processors/domain/(session_row|session)\.py"),
    ("snapshot: rest", r"\(processors/domain/(snapshot|stretch)\.py"),
    ("rows as text", r"_written \("),
    ("cohorts", r"\(processors/domain/cohorts\.py"),
    ("blobs: pack, unpack", r"\(processors/domain/(shelf|bucket)\.py|dump \(processors/domain/partition"),
    ("blobs: compress, table", r"\(processors/live/store\.py"),
    ("apply, rest", r"apply \(processors/domain/partition|\(processors/domain/visitor\.py"),
    ("emit, rest", r"\(processors/domain/partition\.py"),
    ("output", r"\(processors/live/output\.py"),
    ("worker, gate, metrics", r"\(processors/live/|\(schemas/metrics|prometheus_client"),
    ("aiokafka: fetch", r"\(aiokafka/(consumer|record|client|conn|protocol)"),
    ("aiokafka: produce", r"\(aiokafka/producer"),
    (
        "Faust: producer",
        r"\(faust/transport/(producer|drivers/aiokafka).*[pP]roduc|\(faust/(topics|channels)\.py:.*send",
    ),
    ("Faust: consumer", r"\(faust/transport"),
    ("Faust: stream, events", r"\(faust/"),
    ("mode", r"\(mode/"),
    ("asyncio", r"\(asyncio/"),
)


def part_of(stack: list[str]) -> str:
    """The part that the innermost telling frame of `stack` (outermost first) belongs to."""
    for frame in reversed(stack):
        for name, pattern in PARTS:
            if re.search(pattern, frame):
                return name
    return "event loop and rest"


def sample(worker: Worker, seconds: int, out: Path, *options: str) -> list[tuple[list[str], int]]:
    """Stacks of the worker, outermost frame first, each with its count, sampled for `seconds`."""
    spy = str(Path(sys.executable).parent / "py-spy")
    command = [spy, "record", "--pid", str(worker.process.pid), "--duration", str(seconds), "--rate", str(_RATE_HZ)]
    subprocess.run([*command, "--format", "raw", "--threads", "--output", str(out), *options], check=True)
    found: list[tuple[list[str], int]] = []
    for line in out.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        found.append((stack.split(";"), int(count)))
    return found


def show(title: str, counts: Counter[str], total: int, events_per_s: float, shown: int = 100) -> None:
    """Print shares, and microseconds an event at `events_per_s`."""
    print(f"\n## {title}")
    for name, count in counts.most_common(shown):
        seconds = count / total
        print(f"{100 * count / total:6.1f} %  {seconds * 1e6 / events_per_s:6.2f} us/event  {name}")


def main() -> None:
    """Fill a broker, run the worker, sample it twice (with native frames; holders of the GIL only) and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--after", type=int, default=100_000, help="events applied before the sampling begins")
    parser.add_argument("--keep", type=Path, help="directory that keeps the raw stacks")
    args = parser.parse_args()
    run = uuid.uuid4().hex[:8]
    with tempfile.TemporaryDirectory() as directory, kafka_broker(Path(directory)) as broker:
        keep = args.keep or Path(directory)
        fill(broker.bootstrap, f"{run}.", f"{run}-plain", count=args.events, plain_count=0)
        with live_worker(broker.bootstrap, f"{run}.", Path(directory) / "live.log") as worker:
            worker.wait(lambda: worker.metric("snag_live_events_total") >= args.after, "the first events")
            for title, options in (("native", ("--native",)), ("gil", ("--gil",)), ("python", ())):
                events, cpu, at = worker.metric("snag_live_events_total"), worker.cpu_s(), time.perf_counter()
                threads = {t.id: t.user_time + t.system_time for t in psutil.Process(worker.process.pid).threads()}
                stacks = sample(worker, args.seconds, keep / f"{title}.txt", *options)
                took = time.perf_counter() - at
                events, cpu = worker.metric("snag_live_events_total") - events, worker.cpu_s() - cpu
                per_s = events / took
                rate = f"{events:,.0f} events in {took:.1f} s = {per_s:,.0f}/s"
                print(f"\n# {title}: {rate}, CPU {cpu / events * 1e6:.1f} us/event")
                total = args.seconds * _RATE_HZ
                by_thread = Counter[str]()
                for t in psutil.Process(worker.process.pid).threads():
                    by_thread[f"thread {t.id} (CPU)"] = int(
                        (t.user_time + t.system_time - threads.get(t.id, 0)) / took * total
                    )
                show("CPU by thread, of the wall clock", +by_thread, total, per_s)
                threads_of, parts, selves = Counter[str](), Counter[str](), Counter[str]()
                for stack, count in stacks:
                    threads_of[stack[0]] += count
                    if "MainThread" in stack[0]:
                        parts[part_of(stack)] += count
                    selves[f"{stack[-1]}   [{'main' if 'MainThread' in stack[0] else 'other'}]"] += count
                show("samples by thread", threads_of, total, per_s)
                show("main thread by part", parts, total, per_s)
                show("self time", selves, total, per_s, _FUNCTIONS_SHOWN)


if __name__ == "__main__":
    main()
