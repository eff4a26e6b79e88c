"""`python -m bench.path`: from POST to a row that can be queried, beside the bare minimum in the same run.

Snag: batches of 20 over HTTP into the running stack. The bare minimum: kafka-python produce of the same batches to one
topic, a plain consumer, a raw insert a second into a table of the same columns. Latency is from the moment before the
POST (or produce) to the first look that finds the row; the look is every 50 ms, which is in both figures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import clickhouse_connect
import orjson
from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from tests.support.running import running_stack

EVENTS_PER_BATCH = 20
LOOK_INTERVAL_S = 0.05
SETTLE_S = 30
INSERT_SETTINGS = {"async_insert": 0, "date_time_input_format": "best_effort", "input_format_skip_unknown_fields": 1}


def batch(run: str, number: int) -> list[dict[str, object]]:
    """One batch of events; the first one's id carries the batch's number."""
    return [
        {
            "event_id": f"{run}-{number}-{i}",
            "site": "shop",
            "kind": "clickstream",
            "type": "page_view",
            "visitor_id": f"v-{(number * EVENTS_PER_BATCH + i) % 5000}",
            "session_id": f"s-{(number * EVENTS_PER_BATCH + i) % 5000}",
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "url": "https://shop.example/cart",
        }
        for i in range(EVENTS_PER_BATCH)
    ]


def pace(run: str, rate: float, seconds: float, send: Callable[[list[dict[str, object]]], None]) -> dict[int, float]:
    """Send batches at `rate` events/s for `seconds` over four threads; when each was begun (perf_counter)."""
    begun: dict[int, float] = {}
    total, threads = int(rate * seconds / EVENTS_PER_BATCH), 4
    start = time.perf_counter()

    def work(first: int) -> None:
        for number in range(first, total, threads):
            due = start + number * EVENTS_PER_BATCH / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            begun[number] = time.perf_counter()
            send(batch(run, number))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return begun


def watch(client: Client, table: str, run: str, seen: dict[int, float], stop: threading.Event) -> None:
    """Note when each batch's first row is first found."""
    while not stop.is_set():
        found = client.query(
            f"SELECT toUInt32(splitByChar('-', event_id)[2]) FROM {table} "
            f"WHERE event_id LIKE '{run}-%-0' AND received_at > now() - 30"
        )
        now = time.perf_counter()
        for (number,) in found.result_rows:
            seen.setdefault(number, now)
        time.sleep(LOOK_INTERVAL_S)


def measure(client: Client, table: str, rate: float, seconds: float, send: Callable[..., None]) -> dict[str, float]:
    """One run: latencies in seconds by percentile, and how many batches never showed."""
    run = uuid.uuid4().hex[:8]
    seen: dict[int, float] = {}
    stop = threading.Event()
    looker = threading.Thread(target=watch, args=(client, table, run, seen, stop))
    looker.start()
    begun = pace(run, rate, seconds, send)
    deadline = time.monotonic() + SETTLE_S
    while len(seen) < len(begun) and time.monotonic() < deadline:
        time.sleep(LOOK_INTERVAL_S)
    stop.set()
    looker.join()
    latencies = sorted(seen[n] - begun[n] for n in begun if n in seen)
    return {
        "events": len(begun) * EVENTS_PER_BATCH,
        "p50_s": round(statistics.median(latencies), 3),
        "p99_s": round(latencies[int(len(latencies) * 0.99)], 3),
        "missing_batches": len(begun) - len(latencies),
    }


def bare_minimum(client: Client, kafka: str, rate: float, seconds: float) -> dict[str, float]:
    """Produce, consume, insert once a second: no checks, no offsets, no recovery."""
    topic = f"bare-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(topic, 8, 1)])
    admin.close()
    client.command("CREATE TABLE bare AS clickstream")
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=False)
    stop = threading.Event()

    def insert() -> None:
        own = clickhouse_connect.get_client(host="127.0.0.1", port=client_port(client), database="snag")
        consumer = KafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
        held: list[bytes] = []
        last = time.monotonic()
        while not stop.is_set():
            for records in consumer.poll(timeout_ms=100).values():
                held += [record.value for record in records]
            if held and time.monotonic() - last >= 1.0:
                own.raw_insert("bare", insert_block=b"\n".join(held), fmt="JSONEachRow", settings=INSERT_SETTINGS)
                held, last = [], time.monotonic()
        consumer.close()

    inserter = threading.Thread(target=insert)
    inserter.start()

    def send(events: list[dict[str, object]]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        producer.send(topic, b"\n".join(orjson.dumps({**e, "received_at": at}) for e in events)).get(10)

    try:
        return measure(client, "bare", rate, seconds, send)
    finally:
        stop.set()
        inserter.join()
        producer.close()


def client_port(client: Client) -> int:
    """The port a client talks to."""
    return int(str(client.url).rsplit(":", 1)[1].strip("/"))  # type: ignore[attr-defined]


def main() -> None:
    """Run both and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, running_stack(Path(directory)) as stack:
        status = stack.status()
        port = int(status["clickhouse"].rsplit(":", 1)[1])
        client = clickhouse_connect.get_client(
            host="127.0.0.1", port=port, database="snag", autogenerate_session_id=False
        )

        def post(events: list[dict[str, object]]) -> None:
            request = urllib.request.Request(
                f"{status['collector']}/v1/events", orjson.dumps(events), {"X-Write-Key": "wk_local"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()

        snag = measure(client, "clickstream", args.rate, args.seconds, post)
        bare = bare_minimum(client, status["kafka"], args.rate, args.seconds)
    shown = {"rate_events_per_s": args.rate, "snag": snag, "bare_minimum": bare, "cores": os.cpu_count()}
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
