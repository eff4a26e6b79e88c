"""The domain's rules under Quix Streams: state by message key in RocksDB with a changelog, as its guide shows it.

Sessions, funnels and friction of each visitor, a row as soon as it changes: Quix has no timers by key, so a row held
back would never be said. Counts that visitors share (error rates, cohorts) would need a second topic and are left out.

usage: -m bench.live.peers.quix BOOTSTRAP TOPIC PREFIX COUNT   prints {"events", "seconds", "cpu_s"}
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from quixstreams import Application, State

from bench.live.peers.rows import TOPIC_NAME, Said, VisitorRules
from bench.live.stopwatch import Stopwatch


class Live:
    """The stateful operator; stops the app after `count` events."""

    def __init__(self, count: int, stop: Callable[[], None]) -> None:
        self._count, self._stop = count, stop
        self._rules = VisitorRules()
        self._watch = Stopwatch()
        self.result = b""

    def on_event(self, value: bytes, state: State) -> list[Said]:
        """The rows that one event changes."""
        self._watch.count(1)
        packed, rows = self._rules.hear(value, state.get_bytes("visitor"))
        state.set_bytes("visitor", packed)
        if self._watch.seen == self._count:
            self.result = self._watch.result()
            self._stop()
        return rows


def main(bootstrap: str, topic: str, prefix: str, count: int) -> None:
    """Run until `count` events were handled."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"{prefix}quix",
        auto_offset_reset="earliest",
        loglevel="ERROR",
        state_dir="quix-state",
        use_changelog_topics=True,
    )
    live = Live(count, app.stop)
    source = app.topic(topic, value_deserializer="bytes", key_deserializer="bytes")
    rows = app.dataframe(source).apply(live.on_event, stateful=True, expand=True)
    for name in TOPIC_NAME.values():
        said = app.topic(f"{prefix}{name}", value_serializer="bytes", key_serializer="bytes")

        def is_for(row: Any, name: str = name) -> bool:
            return bool(row[0] == name)

        rows[rows.apply(is_for)].apply(lambda row: row[1]).to_topic(said)
    app.run()
    sys.stdout.buffer.write(live.result)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
