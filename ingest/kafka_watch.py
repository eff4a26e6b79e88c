"""Looks again and again whether Kafka answers, and who leads which partition."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from ingest.broker import Address, Slot
from schemas.settings import KafkaSettings
from schemas.topics import Topic

_INTERVAL_S: Final = 1.0  # how long an idle collector may believe in a dead Kafka, and a busy one in a live one
_TIMEOUT_S: Final = 2.0  # a broker that takes longer to list a topic is not one to promise durability on


@dataclass(frozen=True)
class Layout:
    """What was seen: how many partitions the co-partitioned topics have, and where each partition's leader is."""

    partitions: int
    leaders: Mapping[Slot, Address]


class KafkaWatch:
    """A thread that looks once a second. It calls back from itself."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[Topic],
        *,
        seen: Callable[[float, Layout], None],
        missed: Callable[[str], None],
    ) -> None:
        """Kafka is there when it has all `topics`, each with its leaders: `seen` gets the time (monotonic, s) at which
        the look began; `missed` gets the reason why not.
        """
        self._topics = {topic.full_name(settings.topic_prefix): topic for topic in topics}
        self._admin = AdminClient(
            {
                "bootstrap.servers": settings.bootstrap,
                "client.id": "snag-ingest",
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 500,
                "allow.auto.create.topics": False,
                "log_level": 0,  # whether Kafka answers is said once, by the sink
            }
        )
        self._bootstrap = settings.bootstrap
        self._seen = seen
        self._missed = missed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Nothing is called back once this has returned, but by a look under way: see `join`."""
        self._stopping.set()

    def join(self, timeout_s: float) -> None:
        """Wait for a look under way."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began_at = time.monotonic()
            try:
                layout = self._look()
            except KafkaException as error:
                self._missed(f"{self._bootstrap}: {_reason(error)}")
            else:
                self._seen(began_at, layout)
            self._stopping.wait(_INTERVAL_S)

    def _look(self) -> Layout:
        """Raises KafkaException unless all topics are there with a leader for each partition."""
        counts = []
        leaders: dict[Slot, Address] = {}
        for name, topic in self._topics.items():
            found = self._admin.list_topics(name, timeout=_TIMEOUT_S)
            listed = found.topics[name]
            if listed.error is not None:
                text = f"topic {name} is not there ({listed.error.str()}); create the topics"
                raise KafkaException(KafkaError(listed.error.code(), text))
            for partition in listed.partitions.values():
                leader = found.brokers.get(partition.leader)
                if leader is None:
                    raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE, f"topic {name} lacks a leader"))
                leaders[name, partition.id] = str(leader.host), leader.port
            if topic.copartitioned:
                counts.append(len(listed.partitions))
        return Layout(min(counts), leaders)


def _reason(error: KafkaException) -> str:
    found = error.args[0]
    return found.str() if isinstance(found, KafkaError) else str(error)
