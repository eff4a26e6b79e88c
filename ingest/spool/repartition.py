"""Records whose topic turned out to have another number of partitions than was believed when they were taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from ingest.spool.frame import Record
from schemas.event import Event, partition_key
from schemas.topics import ERASURES, RAW, partition_of

_KEYED: Final = frozenset(topic.name for topic in RAW)
_decode: Final = msgspec.json.Decoder(Event).decode


def _partition_of(line: bytes, partitions: int) -> int:
    try:
        return partition_of(partition_key(_decode(line)), partitions)
    except msgspec.MsgspecError:  # of another version: those who read it say what is wrong with it
        return partition_of(line, partitions)


def repartition(record: Record, partitions: int) -> Iterator[Record]:
    """The lines of `record` as records for `partitions`, each in the partition of its own key."""
    if record.topic == ERASURES.name:  # has one partition, whatever the others have
        yield record._replace(partitions=partitions)
        return
    if record.topic not in _KEYED:
        yield record._replace(partition=record.partition % partitions, partitions=partitions)
        return
    lines: dict[int, list[bytes]] = {}
    for line in record.value.split(b"\n"):
        lines.setdefault(_partition_of(line, partitions), []).append(line)
    for partition, own in lines.items():
        yield record._replace(partition=partition, partitions=partitions, value=b"\n".join(own))
