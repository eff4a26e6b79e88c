"""What the property tests of a partition share: a log of three topics, a worker that reads it, and its tables."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import schemas
from processors.domain.bucket import Bucket
from processors.domain.emission import Emission
from processors.domain.fact import decode_lines
from processors.domain.partition import Partition
from processors.domain.rules import Rules
from schemas.funnel import load_funnels
from schemas.topics import TABLE_OF_TOPIC, partition_of
from tests import oracle
from tests.oracle.compare import final_key, typed
from tests.oracle.events import milliseconds
from tests.oracle.streams import BASE_MS, TOPIC, Event, lines

OWN_FUNNELS = Path(__file__).parent.parent / "data" / "funnels"
RULES = Rules(funnels=load_funnels(OWN_FUNNELS))
FUNNELS = [
    tomllib.loads(path.read_text())
    for path in (*(Path(str(schemas.__path__[0])) / "funnels").glob("*.toml"), *OWN_FUNNELS.glob("*.toml"))
]
CHECKOUT = next(funnel for funnel in FUNNELS if funnel["name"] == "checkout")
TOPICS = ("clickstream", "errors", "checkouts")
DERIVED = ("sessions", "funnels", "funnel_cohorts", "signals", "error_rates")
DAY_MS = 86_400_000
LINGER_MS = 5
SETTLE_MS = 20_000  # longer than any pause between two emissions of a visitor

Records = dict[str, list[list[Event]]]
Log = list[tuple[str, bytes]]
"""Derived rows in the order in which Kafka took them: (topic, NDJSON row)."""


def records_of(events: Iterable[Event], random: Random) -> Records:
    """The events' records by topic, in the order given: micro-batches of up to three, received within the linger."""
    topics: Records = {topic: [] for topic in TOPICS}
    for event in events:
        records = topics[TOPIC[event["kind"]]]
        together = records and abs(received(records[-1]) - received([event])) <= LINGER_MS
        if together and len(records[-1]) < random.randint(1, 3):
            records[-1].append(event)
        else:
            records.append([event])
    return topics


def received(record: Sequence[Event]) -> int:
    return max(milliseconds(event["received_at"]) for event in record)


def end_of(events: Iterable[Event], after_ms: int) -> int:
    """A receipt time (Unix ms) `after_ms` after the last event's."""
    return max((milliseconds(event["received_at"]) for event in events), default=BASE_MS) + after_ms


class Reader:
    """Reads a partition's records in any interleaving; what it says is appended to `log`."""

    def __init__(self, records: Records, log: Log, *, buckets: int = 4, rules: Rules = RULES) -> None:
        self.records, self.log = records, log
        self.state = Partition(0, [Bucket() for _ in range(buckets)], rules, {})
        self.wanted = dict.fromkeys(TOPICS, 0)
        self.now = 0
        self.metrics: list[Any] = []

    def readable(self) -> list[str]:
        """Topics with an unread record that has been received by now."""
        return [t for t in TOPICS if self.wanted[t] < self._visible(t)]

    def _visible(self, topic: str) -> int:
        return sum(1 for record in self.records[topic] if received(record) <= self.now)

    def next_received(self) -> int | None:
        """When the next record that lies in the future is received."""
        times = [received(record) for records in self.records.values() for record in records]
        return min((at for at in times if at > self.now), default=None)

    def read(self, topic: str) -> None:
        offset = self.wanted[topic]
        decoded, bad = decode_lines(lines(self.records[topic][offset]))
        assert bad == 0
        self.state.apply(topic, offset, decoded)
        self.wanted[topic] = offset + 1

    def tick(self, at: int | None = None) -> Emission:
        """Let time pass to `at` (Unix ms; now, if None) and say what is to be said."""
        self.now = self.now if at is None else at
        self.state.advance(self.now, {topic: self.wanted[topic] >= self._visible(topic) for topic in TOPICS})
        emission = self.state.emit(self.now)
        self.log += [(topic, row) for topic, rows in emission.rows.items() for row in rows]
        self.metrics += emission.metrics
        return emission

    def live(self, random: Random, tick_chance: float = 0.3) -> None:
        """Read everything as it is received, ticking now and then."""
        while True:
            topics = self.readable()
            if topics and random.random() < 0.8:
                self.read(random.choice(topics))
            elif (at := self.next_received()) is not None:
                self.now = at
            elif not topics:
                return
            if random.random() < tick_chance:
                self.tick()

    def replay(self, random: Random, at: int, tick_chance: float = 0.2) -> None:
        """Read everything long after it was received, at `at` (Unix ms), ticking now and then."""
        self.now = at
        while topics := self.readable():
            self.read(random.choice(topics))
            if random.random() < tick_chance:
                self.tick(self.now + random.choice((0, 1000, 20_000)))

    def settle(self, end: int) -> None:
        """Let time pass to `end` (Unix ms) until nothing more is to be said."""
        self.now = max(self.now, end - 2 * SETTLE_MS)
        assert self.readable() == []
        for at in (end - 2 * SETTLE_MS, end - SETTLE_MS, end, end + SETTLE_MS):
            self.tick(max(self.now, at) if at < end else at)


def rows_of(log: Log, topic: str) -> list[dict[str, Any]]:
    return [json.loads(row) for name, row in log if name == topic]


def final(log: Log) -> dict[str, list[dict[str, Any]]]:
    """By topic, the rows that FINAL shows."""
    return {topic: oracle.latest(TABLE_OF_TOPIC[topic], rows_of(log, topic)) for topic in DERIVED}


def content(log: Log) -> dict[str, dict[Any, dict[str, Any]]]:
    """By topic, the final rows by key without their versions: equal for two runs that agree."""
    return {
        topic: {
            final_key(TABLE_OF_TOPIC[topic], row): {k: v for k, v in row.items() if k != "version"}
            for row in rows
            if topic != "funnel_cohorts" or row.get("entered")  # an empty cohort is none
        }
        for topic, rows in final(log).items()
    }


def differences(log: Log, events: Sequence[Event], frontier: int) -> list[str]:
    """How the final rows differ from the oracle's."""
    rows = final(log)
    told = oracle.diff(
        oracle.sessions(events, 1800, DAY_MS / 1000, frontier=frontier, checkout=CHECKOUT),
        oracle.tabulate("sessions", rows["sessions"]),
    )
    told += oracle.diff(
        oracle.attempts(events, FUNNELS, frontier=frontier), oracle.tabulate("funnel_attempts", rows["funnels"])
    )
    told += oracle.diff(oracle.cohorts(events, FUNNELS, frontier=frontier), oracle.sum_cohorts(rows["funnel_cohorts"]))
    told += oracle.diff(
        oracle.signals(events, 1800, DAY_MS / 1000), oracle.tabulate("friction_signals", rows["signals"])
    )
    told += oracle.diff(oracle.rates(events), oracle.sum_partitions(rows["error_rates"]))
    texts = {final_key("error_rates", row)[:-1]: row.get("message", "") for row in rows["error_rates"]}
    told += [
        f"message of {key}: {texts.get(key)!r}"
        for key, text in oracle.messages(events).items()
        if texts.get(key) != text
    ]
    return told


def disagreements(one: Log, other: Log) -> list[str]:
    """How the final rows of two runs differ, versions aside."""
    a, b = content(one), content(other)
    told = [f"{topic} {told}" for topic in DERIVED for told in oracle.diff(a[topic], b[topic])]
    return told + [
        f"{topic}, seen from the other: {told}" for topic in DERIVED for told in oracle.diff(b[topic], a[topic])
    ]


def falls(log: Log) -> list[str]:
    """Rows whose version fell, or whose content changed under one version, within one reader's life."""
    told: list[str] = []
    newest: dict[Any, dict[str, Any]] = {}
    for topic, text in log:
        row = typed(json.loads(text))
        key = (topic, final_key(TABLE_OF_TOPIC[topic], row))
        before = newest.get(key)
        if before is not None and row["version"] < before["version"]:
            told.append(f"{key}: {before['version']} -> {row['version']}")
        elif topic == "funnel_cohorts":
            pass  # its version is the frontier, which may stand still
        elif before is not None and row["version"] == before["version"] and row != before:
            told.append(f"{key}: {before} and {row}")
        newest[key] = row
    return told


def split(events: Iterable[Mapping[str, Any]], partitions: int) -> list[list[Event]]:
    """The events of each partition, as the collector keys them."""
    parts: list[list[Event]] = [[] for _ in range(partitions)]
    for event in events:
        who = event["visitor_id"] or event["session_id"] or event["event_id"]
        parts[partition_of(f"{event['site']}:{who}".encode(), partitions)].append(dict(event))
    return parts


def test_the_harness_hands_every_event_to_the_partition() -> None:
    events = [
        {"event_id": f"e{n}", "site": "shop", "kind": "clickstream", "type": "page_view", "visitor_id": "ann"}
        | {"session_id": "", "ts": "2025-11-23T10:00:00Z", "received_at": "2025-11-23T10:00:00Z"}
        for n in range(20)
    ]
    random, log = Random(1), Log()
    reader = Reader(records_of(events, random), log)
    reader.live(random)
    reader.settle(end_of(events, 60_000))
    assert [row["events"] for row in final(log)["sessions"]] == [20]
