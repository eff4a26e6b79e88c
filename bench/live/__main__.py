"""`python -m bench.live`: events/s of one live worker and of the idiomatic Faust agent, same broker, same run.

Both count sessions. The live worker does much more with each event (funnels, friction, error rates, repeats recognised,
durable checkpoints) and reads records of 20 events; the idiom reads one event a record and writes its table per event.
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
from pathlib import Path

import orjson
from kafka import KafkaProducer
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


def fill(bootstrap: str, prefix: str, plain_topic: str, *, count: int, plain_count: int, sessions: int) -> None:
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
    for i, event in enumerate(events(count, sessions)):
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


def applied(port: int) -> int:
    """Events applied so far, from the worker's own metrics; 0 before it serves."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return 0
    return int(sum(float(m) for m in re.findall(r"^snag_live_events_total\{.*\} (\S+)$", text, re.M)))


def run_live(bootstrap: str, prefix: str, count: int, log: Path) -> dict[str, float]:
    """Start a worker on the full topics; events/s from the first reading above zero to the last event."""
    port = free_port()
    env = {
        **os.environ,
        "SNAG_KAFKA__BOOTSTRAP": bootstrap,
        "SNAG_KAFKA__TOPIC_PREFIX": prefix,
        "SNAG_LIVE__HEALTH_PORT": str(port),
    }
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "processors.live"], env=env, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + DEADLINE_S
        first: tuple[float, int] | None = None
        while time.monotonic() < deadline and process.poll() is None:
            now, seen = time.perf_counter(), applied(port)
            if seen and first is None:
                first = (now, seen)
            if seen >= count and first is not None:
                return {"events": seen, "seconds": now - first[0], "events_per_s": (seen - first[1]) / (now - first[0])}
            time.sleep(0.5)
        raise SystemExit(f"the live worker applied {applied(port)} of {count} events; see {log}")
    finally:
        process.terminate()
        process.wait(30)


def run_idiom(bootstrap: str, topic: str, count: int, log: Path) -> dict[str, float]:
    """Run the peer to its end."""
    command = [sys.executable, str(Path(__file__).parent / "idiom.py"), bootstrap, topic, str(PARTITIONS), str(count)]
    with log.open("wb") as err:
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=err, timeout=DEADLINE_S, check=True).stdout
    result: dict[str, float] = orjson.loads(out.splitlines()[-1])
    result["events_per_s"] = result["events"] / result["seconds"]
    return result


def main() -> None:
    """Run both and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--peer-events", type=int, default=60_000)
    parser.add_argument("--sessions", type=int, default=20_000)
    args = parser.parse_args()
    run = uuid.uuid4().hex[:8]
    with tempfile.TemporaryDirectory() as directory, kafka_broker(Path(directory)) as broker:
        fill(
            broker.bootstrap,
            f"{run}.",
            f"{run}-plain",
            count=args.events,
            plain_count=args.peer_events,
            sessions=args.sessions,
        )
        live = run_live(broker.bootstrap, f"{run}.", args.events, Path(directory) / "live.log")
        idiom = run_idiom(broker.bootstrap, f"{run}-plain", args.peer_events, Path(directory) / "idiom.log")
    times = live["events_per_s"] / idiom["events_per_s"]
    print(
        orjson.dumps(
            {"live": live, "faust_idiom": idiom, "times": round(times, 1)}, option=orjson.OPT_INDENT_2
        ).decode()
    )


if __name__ == "__main__":
    main()
