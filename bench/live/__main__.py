"""`python -m bench.live`: events/s of one live worker beside Faust's floor and the idiomatic Faust agent, in one run.

The live worker runs all its rules on records of 20 events, recognises repeats and keeps durable checkpoints; its final
session rows are read back and must add up to every event. The floor decodes the same records and does nothing. The
idiom counts events per session, one JSON event a record and a table write per event.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from bench.live.events import encode, events
from schemas import topics
from schemas.event import partition_key
from schemas.topics import partition_of
from tests.support.ports import free_port
from tests.support.stack import kafka_broker

PARTITIONS = 8
EVENTS_PER_RECORD = 20
DEADLINE_S = 600


def fill(bootstrap: str, prefix: str, plain_topic: str, *, count: int, plain_count: int) -> None:
    """Write `count` events as micro-batches to the raw topics, the first `plain_count` also singly to `plain_topic`."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    made = [
        NewTopic(t.full_name(prefix), PARTITIONS if t.copartitioned else 1, 1, topic_configs=t.config())
        for t in topics.ALL
    ]
    admin.create_topics([*made, NewTopic(plain_topic, PARTITIONS, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=False, linger_ms=20)
    waiting: dict[tuple[str, int], list[bytes]] = {}
    for i, event in enumerate(events(count, int(time.time() * 1000))):
        partition = partition_of(partition_key(event), PARTITIONS)
        line = encode(event)
        if i < plain_count:
            producer.send(plain_topic, key=event.session_id.encode(), value=line, partition=partition)
        slot = (topics.TOPIC_OF_KIND[event.kind].full_name(prefix), partition)
        batch = waiting.setdefault(slot, [])
        batch.append(line)
        if len(batch) == EVENTS_PER_RECORD:
            producer.send(slot[0], value=b"\n".join(batch), partition=partition)
            batch.clear()
    for (topic, partition), batch in waiting.items():
        if batch:
            producer.send(topic, value=b"\n".join(batch), partition=partition)
    producer.flush()
    producer.close()


class Worker:
    """A live worker as a process, watched through its own metrics."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self._url = process, f"http://127.0.0.1:{port}/"

    def metric(self, name: str) -> int:
        """The sum of a metric over its labels; 0 before the worker serves."""
        return int(sum(float(m) for m in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", self._get("metrics"), re.M)))

    def is_ready(self) -> bool:
        """Whether every partition is loaded."""
        return self._get("ready") != ""

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self._url + path, timeout=5) as answer:
                body: str = answer.read().decode()
                return body
        except OSError:
            return ""

    def rss_bytes(self) -> int:
        """Resident memory."""
        size: int = psutil.Process(self.process.pid).memory_info().rss
        return size


@contextmanager
def live_worker(bootstrap: str, prefix: str, log: Path) -> Iterator[Worker]:
    """A worker with its defaults; killed at the end."""
    port = free_port()
    env = {
        **os.environ,
        "SNAG_KAFKA__BOOTSTRAP": bootstrap,
        "SNAG_KAFKA__TOPIC_PREFIX": prefix,
        "SNAG_LIVE__HEALTH_PORT": str(port),
    }
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "processors.live"], env=env, stdout=out, stderr=out)
    try:
        yield Worker(process, port)
    finally:
        process.kill()
        process.wait(30)


def wait(condition: Any, what: str, worker: Worker, log: Path, period_s: float = 0.2) -> float:
    """Wait until `condition()`; returns time.perf_counter() then. Ends the bench when it takes too long."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline or worker.process.poll() is not None:
            raise SystemExit(f"live worker: {what} did not come; the end of its log:\n{log.read_text()[-2000:]}")
        time.sleep(period_s)
    return time.perf_counter()


def run_live(bootstrap: str, prefix: str, count: int, log: Path) -> dict[str, float]:
    """Start a worker on the full topics; events/s from the first reading above zero to the last event.

    `said_per_s`: until every event is in a session row in Kafka. Then the worker is killed; `recovery_s`: until another
    has its state.
    """
    with live_worker(bootstrap, prefix, log) as worker:
        started = wait(lambda: worker.metric("snag_live_events_total") > 0, "the first event", worker, log)
        before = worker.metric("snag_live_events_total")
        applied = wait(lambda: worker.metric("snag_live_events_total") >= count, "the last event", worker, log)
        said = wait(lambda: session_events(bootstrap, prefix) == count, "every event in a row", worker, log, 1)
        visitors, rss = worker.metric("snag_live_visitors"), worker.rss_bytes()
        checkpoints = worker.metric("snag_live_checkpoints_total")
        wait(
            lambda: worker.metric("snag_live_checkpoints_total") >= checkpoints + PARTITIONS,
            "a checkpoint",
            worker,
            log,
        )
    with live_worker(bootstrap, prefix, log) as worker:
        again = time.perf_counter()
        ready = wait(worker.is_ready, "the restarted worker", worker, log)
    return {
        "events": count,
        "seconds": applied - started,
        "events_per_s": (count - before) / (applied - started),
        "said_per_s": (count - before) / (said - started),
        "visitors": visitors,
        "rss_mb": rss / 1e6,
        "bytes_per_visitor": rss / max(1, visitors),
        "recovery_s": ready - again,
    }


def session_events(bootstrap: str, prefix: str) -> int:
    """The sum of events over the newest row of each session, as the topic has them now."""
    name = topics.SESSIONS.full_name(prefix)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    places = [TopicPartition(name, p) for p in range(PARTITIONS)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    try:
        while any(consumer.position(place) < end for place, end in ends.items()):
            for records in consumer.poll(timeout_ms=1000).values():
                for record in records:
                    for line in record.value.splitlines():
                        row = orjson.loads(line)
                        key = (row["session_id"], row["started_at"])
                        held = 0 if row.get("deleted") else row["events"]
                        newest[key] = max(newest.get(key, (0, 0)), (row["version"], held))
    finally:
        consumer.close()
    return sum(held for _, held in newest.values())


def run_peer(script: str, log: Path, *arguments: object) -> dict[str, float]:
    """Run a peer to its end."""
    command = [sys.executable, str(Path(__file__).parent / script), *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    with log.open("wb") as err:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=err, timeout=DEADLINE_S, check=True, env=env, cwd=log.parent
        )
    result: dict[str, float] = orjson.loads(done.stdout.splitlines()[-1])
    return {**result, "events_per_s": result["events"] / result["seconds"]}


def main() -> None:
    """Run all and print one JSON object, with a table for people on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--peer-events", type=int, default=60_000)
    args = parser.parse_args()
    run = uuid.uuid4().hex[:8]
    with tempfile.TemporaryDirectory() as directory, kafka_broker(Path(directory)) as broker:
        prefix, logs = f"{run}.", Path(directory)
        fill(broker.bootstrap, prefix, f"{run}-plain", count=args.events, plain_count=args.peer_events)
        raw = [topic.full_name(prefix) for topic in topics.RAW]
        found = {
            "faust_floor": run_peer("floor.py", logs / "floor.log", broker.bootstrap, PARTITIONS, args.events, *raw),
            "live": run_live(broker.bootstrap, prefix, args.events, logs / "live.log"),
            "faust_idiom": run_peer(
                "idiom.py", logs / "idiom.log", broker.bootstrap, f"{run}-plain", PARTITIONS, args.peer_events
            ),
        }
    for name, result in found.items():
        print(f"{name:12} {result['events_per_s']:>10,.0f} events/s", file=sys.stderr)
    times = found["live"]["events_per_s"] / found["faust_idiom"]["events_per_s"]
    print(orjson.dumps({**found, "times_the_idiom": round(times, 1)}, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
