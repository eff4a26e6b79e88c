"""The live worker with the idiom's task: gate, checkpoints and acknowledgements as ever, but only events per session.

Counts lie where a bucket keeps nobody's events, so that blobs are made and read as ever.
usage: -m bench.live.counting, with the settings of a live worker
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from processors.domain.bucket import Bucket
from processors.domain.emission import Emission
from processors.domain.fact import Line
from processors.domain.partition import Counts, Partition
from processors.live import worker
from processors.live.__main__ import main
from schemas.event import to_ms


class CountingPartition(Partition):
    """Events per session id; no facts, no rows."""

    def apply(self, topic: str, offset: int, lines: Sequence[Line]) -> Counts:
        """Count one record's events in the buckets that do not hold them yet."""
        buckets = self.buckets
        for line in lines:
            session_id = line.session_id
            bucket = buckets[(zlib.crc32(session_id.encode()) >> 16) % len(buckets)]
            if offset > bucket.offsets.get(topic, -1):
                bucket.loose[session_id] = bucket.loose.get(session_id, 0) + 1
                self.changed.add(bucket.number)
        if lines:
            self.received[topic] = to_ms(lines[-1].received_at)
        return Counts(applied=len(lines))

    def emit(self, now: int) -> Emission:
        """Nothing is said."""
        return Emission()

    def dump(self, index: int, applied: Mapping[str, int]) -> bytes:
        """One bucket's blob with the offsets applied so far."""
        bucket = self.buckets[index]
        bucket.offsets.update(applied)
        self.changed.discard(index)
        return bucket.dump(lambda _: False)


def counted(changelog: Iterable[tuple[bytes, bytes | None]]) -> int:
    """The events in the newest blob of each bucket of a changelog's records (key, value), oldest first."""
    blobs = {key: value for key, value in changelog if b"/b/" in key and value is not None}
    return sum(sum(Bucket.load(blob).loose.values()) for blob in blobs.values())


if __name__ == "__main__":
    seam: Any = worker
    seam.Partition = CountingPartition
    main()
