"""`python -m bench.writer`: rows/s of the writer and of its ClickHouse alone, same engine, same rows, same run.

The writer reads records of 20 events from Kafka and inserts them, offsets committed. Alone: the same lines posted to
the same table in bodies of 8 MiB, by one and by two clients; what the engine and its HTTP server can take at most.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlencode

import orjson
from kafka import KafkaProducer

from bench.live.events import encode, events
from deploy.local.kafka.topics import create_topics
from processors.writer.insert import INSERT_SETTINGS
from processors.writer.migrate import migrate
from schemas.settings import ClickHouseSettings, KafkaSettings
from schemas.topics import CLICKSTREAM
from tests.support.stack import clickhouse_server, kafka_broker

PARTITIONS = 8
EVENTS_PER_RECORD = 20
BODY_BYTES = 8 << 20
DEADLINE_S = 180


def ask(url: str, database: str, sql: str, body: bytes = b"") -> bytes:
    """One query or insert."""
    settings = {**INSERT_SETTINGS, "database": database, "query": sql}
    with urllib.request.urlopen(f"{url}/?{urlencode(settings)}", data=body, timeout=DEADLINE_S) as answer:
        return bytes(answer.read())


def alone(url: str, database: str, lines: list[bytes], clients: int) -> float:
    """Rows/s of plain inserts by `clients` clients."""
    ask(url, database, "TRUNCATE TABLE clickstream")
    per_body = BODY_BYTES // (sum(map(len, lines)) // len(lines))
    bodies = [b"\n".join(lines[at : at + per_body]) for at in range(0, len(lines), per_body)]

    def insert(first: int) -> None:
        for body in bodies[first::clients]:
            ask(url, database, "INSERT INTO clickstream FORMAT JSONEachRow", body)

    begun = time.perf_counter()
    threads = [threading.Thread(target=insert, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    stored = int(ask(url, database, "SELECT count() FROM clickstream"))
    if stored != len(lines):
        raise SystemExit(f"{stored} rows of {len(lines)} are in the table")
    return len(lines) / seconds


def writer(kafka: str, url: str, database: str, lines: list[bytes], log: Path) -> float:
    """Rows/s of the writer over a backlog, from the first rows in the table to the last."""
    ask(url, database, "TRUNCATE TABLE clickstream")
    prefix = f"{database}."
    create_topics(KafkaSettings(bootstrap=kafka, topic_prefix=prefix, partitions=PARTITIONS))
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=False, linger_ms=20)
    for number, at in enumerate(range(0, len(lines), EVENTS_PER_RECORD)):
        value = b"\n".join(lines[at : at + EVENTS_PER_RECORD])
        producer.send(CLICKSTREAM.full_name(prefix), value=value, partition=number % PARTITIONS)
    producer.flush()
    producer.close()
    env = {
        **os.environ,
        "SNAG_KAFKA__BOOTSTRAP": kafka,
        "SNAG_KAFKA__TOPIC_PREFIX": prefix,
        "SNAG_CLICKHOUSE__URL": url,
        "SNAG_CLICKHOUSE__DATABASE": database,
    }
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "processors.writer"], env=env, stdout=out, stderr=out)
    try:
        first: tuple[float, int] | None = None
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and process.poll() is None:
            now, stored = time.perf_counter(), int(ask(url, database, "SELECT count() FROM clickstream"))
            if stored and first is None:
                first = (now, stored)
            if stored >= len(lines) and first is not None:
                return (stored - first[1]) / (now - first[0])
            time.sleep(0.1)
        raise SystemExit(f"the writer did not write all {len(lines)} rows; see {log}")
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """Run both and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    lines = [line for line in map(encode, events(given.rows, 20_000)) if b'"kind":"clickstream"' in line]
    database = f"b{uuid.uuid4().hex[:8]}"
    with (
        tempfile.TemporaryDirectory() as directory,
        kafka_broker(Path(directory)) as broker,
        clickhouse_server(Path(directory)) as engine,
    ):
        migrate(ClickHouseSettings(url=engine.url, database=database))
        found = {
            "rows": len(lines),
            "bytes_per_row": round(sum(map(len, lines)) / len(lines)),
            "clickhouse_alone_rows_per_s": {
                str(clients): round(alone(engine.url, database, lines, clients)) for clients in (1, 2)
            },
            "writer_rows_per_s": round(
                writer(broker.bootstrap, engine.url, database, lines, Path(directory) / "writer.log")
            ),
            "cores": os.cpu_count(),
        }
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
