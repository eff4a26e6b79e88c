"""Where events are that were answered 200 and are no rows: said by a test that misses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from kafka import TopicPartition

from deploy.local.kafka.topics import partitions_of
from schemas.settings import KafkaSettings
from schemas.topics import ALL
from tests.support.records import records_at

_AROUND: Final = 60  # characters of a body shown before and behind an id
_SHOWN_IDS: Final = 10


class Searched:
    """Everything that an event passes on its way, read once: the answered bodies, the spool, Kafka and the tables."""

    def __init__(
        self, *, answered: Iterable[bytes], spool: Path, kafka: KafkaSettings, clickhouse: Any, tables: Sequence[str]
    ) -> None:
        """`clickhouse` is a client whose database holds `tables`."""
        self._places: list[tuple[str, bytes]] = [
            (f"request {number} that was answered 200", body) for number, body in enumerate(answered)
        ]
        self._places += [
            (f"spool {path.relative_to(spool)}", path.read_bytes()) for path in spool.rglob("*") if path.is_file()
        ]
        self._places += _records(kafka)
        self._clickhouse = clickhouse
        self._tables = tables

    def tell(self, ids: Iterable[str]) -> str:
        """A line for each place where one of `ids` is, and one for each that is nowhere."""
        wanted = sorted(ids)
        lines = [f"{len(wanted)} are missing:"]
        for id_ in wanted[:_SHOWN_IDS]:
            found = [f"  {place}: {_around(body, id_)}" for place, body in self._places if id_.encode() in body]
            found += [f"  rows of {table}: {rows}" for table in self._tables if (rows := self._rows(table, id_))]
            lines += [f"{id_}:", *(found or ["  nowhere"])]
        return "\n".join(lines)

    def _rows(self, table: str, id_: str) -> int:
        sql = f"SELECT count() FROM {table} WHERE event_id = {{id:String}}"
        return int(self._clickhouse.query(sql, parameters={"id": id_}).first_row[0])


def _around(body: bytes, id_: str) -> str:
    at = body.find(id_.encode())
    return body[max(0, at - _AROUND) : at + len(id_) + _AROUND].decode(errors="replace").replace("\n", "\\n")


def _records(kafka: KafkaSettings) -> Iterator[tuple[str, bytes]]:
    places = [
        TopicPartition(topic.full_name(kafka.topic_prefix), p)
        for topic in ALL
        for p in range(partitions_of(topic, kafka))
    ]
    for record in records_at(kafka.bootstrap, places):
        yield f"Kafka {record.topic} {record.partition}:{record.offset}", record.value or b""
