"""`python -m bench.live.profile`: where the live worker's CPU goes while it works through a backlog.

Two workers go through the same events. One is sampled by py-spy (`pip install py-spy`), only threads that hold the GIL:
by part of the pipeline (the innermost frame that names one) and by line. The other is sampled by perf (Debian:
linux-perf): by C function, with the kernel's. Both print CPU by thread.
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
from collections.abc import Iterator
from contextlib import contextmanager
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


def sample(worker: Worker, seconds: int, out: Path) -> list[tuple[list[str], int]]:
    """Stacks of the threads that hold the GIL, outermost frame first, each with its count, sampled for `seconds`."""
    spy = str(Path(sys.executable).parent / "py-spy")
    command = [spy, "record", "--pid", str(worker.process.pid), "--duration", str(seconds), "--rate", str(_RATE_HZ)]
    subprocess.run([*command, "--format", "raw", "--threads", "--gil", "--output", str(out)], check=True)
    found: list[tuple[list[str], int]] = []
    for line in out.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        found.append((stack.split(";"), int(count)))
    return found


def symbols(worker: Worker, seconds: int, out: Path) -> Counter[str]:
    """Self time of the whole process by C function, in samples, from perf over `seconds`."""
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(_RATE_HZ), "-p", str(worker.process.pid)]
    subprocess.run([*record, "-o", str(out), "--", "sleep", str(seconds)], check=True)
    script = ["perf", "script", "-i", str(out), "-F", "comm,tid,ip,sym,dso"]
    found = subprocess.run(script, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    counts = Counter[str]()
    for line in found.splitlines():
        _, tid, _, *symbol = line.split()
        who = "main" if int(tid) == worker.process.pid else "other"
        counts[f"[{who}] {' '.join(symbol)}"] += 1
    return counts


def show(title: str, counts: Counter[str], us_per_sample: float, shown: int = 100) -> None:
    """Print shares of all samples, and microseconds an event."""
    print(f"\n## {title}")
    total = counts.total()
    for name, count in counts.most_common(shown):
        print(f"{100 * count / total:6.1f} %  {count * us_per_sample:6.2f} us/event  {name}")


@contextmanager
def measured(worker: Worker, title: str) -> Iterator[list[float]]:
    """Print events/s and CPU by thread of what happens inside; the list gets the microseconds of a sample an event."""
    process = psutil.Process(worker.process.pid)
    events, cpu, at = worker.metric("snag_live_events_total"), worker.cpu_s(), time.perf_counter()
    before = {thread.id: thread.user_time + thread.system_time for thread in process.threads()}
    result: list[float] = []
    yield result
    took = time.perf_counter() - at
    threads = {t.id: t.user_time + t.system_time - before.get(t.id, 0) for t in process.threads()}
    events, cpu = worker.metric("snag_live_events_total") - events, worker.cpu_s() - cpu
    result.append(took / events * 1e6)
    print(f"\n# {title}: {events / took:,.0f} events/s, CPU {cpu / events * 1e6:.1f} us/event, {cpu / took:.2f} cores")
    for thread, seconds in sorted(threads.items(), key=lambda item: -item[1]):
        if seconds / cpu > 0.005:
            name = "main" if thread == process.pid else "other"
            print(f"  thread {thread} ({name}): {seconds / events * 1e6:.2f} us/event")


def show_python(stacks: list[tuple[list[str], int]], us_per_sample: float) -> None:
    """Print samples by thread, by part and by function."""
    threads, parts, selves = Counter[str](), Counter[str](), Counter[str]()
    for stack, count in stacks:
        who = "main" if "MainThread" in stack[0] else stack[0]
        threads[who] += count
        parts[f"[{who}] {part_of(stack)}"] += count
        selves[f"[{who}] {stack[-1]}"] += count
    show("holding the GIL, by thread", threads, us_per_sample)
    show("holding the GIL, by part", parts, us_per_sample)
    show("holding the GIL, by line", selves, us_per_sample, _FUNCTIONS_SHOWN)


def main() -> None:
    """Fill a broker; let two workers go through it, one sampled by py-spy and one by perf, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--after", type=int, default=100_000, help="events applied before the sampling begins")
    parser.add_argument("--products", default="", help="as in SNAG_LIVE__PRODUCTS")
    parser.add_argument("--keep", type=Path, help="directory that keeps the raw samples")
    args = parser.parse_args()
    run = uuid.uuid4().hex[:8]
    settings = {"SNAG_LIVE__PRODUCTS": args.products} if args.products else {}
    with tempfile.TemporaryDirectory() as directory, kafka_broker(Path(directory)) as broker:
        keep = args.keep or Path(directory)
        fill(broker.bootstrap, f"{run}.", f"{run}-plain", count=args.events, plain_count=0)
        for tool in ("py-spy", "perf"):
            app = {"SNAG_LIVE__APP_ID": f"profile-{tool}"}
            with live_worker(broker.bootstrap, f"{run}.", Path(directory) / "live.log", settings | app) as worker:
                worker.wait(lambda: worker.metric("snag_live_events_total") >= args.after, "the first events")
                with measured(worker, tool) as result:
                    if tool == "py-spy":
                        stacks = sample(worker, args.seconds, keep / "py-spy.txt")
                    else:
                        counts = symbols(worker, args.seconds, keep / "perf.data")
                if tool == "py-spy":
                    show_python(stacks, result[0] / args.seconds / _RATE_HZ)
                else:
                    show("on the CPU, by C function", counts, result[0] / args.seconds / _RATE_HZ, _FUNCTIONS_SHOWN)


if __name__ == "__main__":
    main()
