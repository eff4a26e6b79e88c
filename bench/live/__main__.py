"""`python -m bench.live`: one live worker beside Faust's floor, the idiomatic Faust agent, Quix Streams and Bytewax.

One broker, the same seeded events. The live worker runs all its rules on records of 20 events, recognises repeats and
keeps durable checkpoints; its final session rows are read back and must add up to every event. `live_sessions` is the
same worker with sessions only, `live_counting` with nothing but the idiom's task. The floor decodes the same records
and does nothing. The idiom counts events per session, one JSON event a record and a table write per event. Quix Streams
and Bytewax run the same domain code their own way, see bench/live/peers/. Then the worker's delays at a modest rate,
and its memory at 200,000 visitors: after a backlog, and when they come at their own pace.

On a machine that shares its cores with strangers one and the same work takes once or twice the CPU time from minute to
minute. So all but the last three take turns, and each figure is the best of its rounds; the rounds are printed too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
import psutil

from bench.live.fill import PARTITIONS, fill, make_topics
from bench.live.latency import run_latency
from bench.live.peers.environment import PeerMissing, python_of
from bench.live.rhythm import run_rhythm
from bench.live.session_rows import session_rows
from bench.live.size import run_size
from bench.live.speed import run_counting, run_live
from bench.live.subject import SubjectFailed, run_subject
from bench.memory import warm
from schemas import topics
from schemas.products import SESSIONS
from tests.support.stack import kafka_broker

RAW: Final = tuple(topic.name for topic in topics.RAW)
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "snag-bench" / "live"

Result = dict[str, float]


class Bench:
    """The subjects, by the names of --only. All but those of REST work through the same backlog."""

    def __init__(self, bootstrap: str, run: str, work: Path, events: int, peer_events: int) -> None:
        self._bootstrap, self._run, self._work = bootstrap, run, work
        self._events, self._peer_events = events, peer_events
        self._prefix, self._plain = f"{run}.", f"{run}-plain"
        self.turn = 0  # told apart by it: consumer groups, changelogs and what peers write
        self._raw = [f"{self._prefix}{name}" for name in RAW]

    def fill(self) -> None:
        """Write the backlog."""
        fill(self._bootstrap, self._prefix, self._plain, count=self._events, plain_count=self._peer_events)

    def floor(self) -> Result:
        """Faust's loop and decoding."""
        return run_subject("floor", self._work, self._bootstrap, PARTITIONS, self._events, *self._raw)

    def live(self) -> Result:
        """All rules."""
        return run_live(self._bootstrap, self._prefix, self._events, self._work / "live.log", turn=self.turn)

    def live_sessions(self) -> Result:
        """Sessions only."""
        return run_live(
            self._bootstrap, self._prefix, self._events, self._work / "live.log", turn=self.turn, products=(SESSIONS,)
        )

    def live_counting(self) -> Result:
        """The idiom's task on the live worker's gate and checkpoints."""
        return run_counting(self._bootstrap, self._prefix, self._events, self._work / "counting.log", turn=self.turn)

    def idiom(self) -> Result:
        """Counts per session, idiomatic Faust."""
        return run_subject("idiom", self._work, self._bootstrap, PARTITIONS, self._peer_events, self._plain)

    def quix(self) -> Result:
        """The domain under Quix Streams."""
        python = python_of("quix", CACHE)
        prefix = f"{self._run}-quix{self.turn}."
        make_topics(self._bootstrap, prefix)
        arguments = (self._bootstrap, self._plain, prefix, self._peer_events)
        return self._checked(run_subject("peers.quix", self._work, *arguments, python=python), prefix)

    def bytewax(self) -> Result:
        """The domain under Bytewax."""
        python = python_of("bytewax", CACHE)
        prefix = f"{self._run}-bytewax{self.turn}."
        make_topics(self._bootstrap, prefix)
        arguments = (self._bootstrap, self._prefix, prefix)
        return self._checked(run_subject("peers.bytewax_flow", self._work, *arguments, python=python), prefix)

    def _checked(self, result: Result, prefix: str) -> Result:
        """`result` if the peer's session rows add up to its events."""
        sessions = topics.SESSIONS.full_name(prefix)
        with session_rows(self._bootstrap, sessions, from_start=True) as rows:
            found = rows.events()
        if found != result["events"]:
            raise SystemExit(f"{prefix} told of {found} events of {result['events']}")
        return result

    def latency(self) -> Result:
        """Delays at a modest rate."""
        return run_latency(self._bootstrap, f"{self._run}-latency.", self._work)

    def size(self) -> Result:
        """Memory and recovery."""
        return run_size(self._bootstrap, f"{self._run}-size.", self._work)

    def rhythm(self) -> Result:
        """Memory when visitors come as they do."""
        return run_rhythm(self._bootstrap, f"{self._run}-rhythm.", self._work / "rhythm.log")


SPEED: Final[tuple[Callable[[Bench], Result], ...]] = (
    Bench.floor,
    Bench.live,
    Bench.live_sessions,
    Bench.live_counting,
    Bench.idiom,
    Bench.quix,
    Bench.bytewax,
)
REST: Final[tuple[Callable[[Bench], Result], ...]] = (Bench.latency, Bench.size, Bench.rhythm)


def _run(subject: Callable[[Bench], Result], bench: Bench, found: dict[str, Result]) -> None:
    """Measure `subject`, tell people, and keep what is best so far of each figure in `found`."""
    name = subject.__name__
    psutil.cpu_percent()
    try:
        result = subject(bench)
    except (PeerMissing, SubjectFailed) as why:
        print(f"{name}: NOT MEASURED. {why}", file=sys.stderr)
        return
    busy = psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)
    told = ", ".join(f"{key} {value:,.3g}" if value < 100 else f"{key} {value:,.0f}" for key, value in result.items())
    print(f"{name} (all processes used {busy:.2f} cores): {told}", file=sys.stderr)
    before = found.get(name, result)
    found[name] = {key: (max if key.endswith("per_s") else min)(value, before[key]) for key, value in result.items()}


def main() -> None:
    """Run the subjects and print one JSON object, with a line for people on stderr as each is done."""
    names = [subject.__name__ for subject in (*SPEED, *REST)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--peer-events", type=int, default=60_000, help="for idiom and quix, one event a record")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    args = parser.parse_args()
    found: dict[str, Result] = {}
    warm()
    with tempfile.TemporaryDirectory() as directory, kafka_broker(Path(directory)) as broker:
        work = Path(directory)
        bench = Bench(broker.bootstrap, uuid.uuid4().hex[:8], work, args.events, args.peer_events)
        if any(subject.__name__ in args.only for subject in SPEED):
            bench.fill()
        for bench.turn in range(args.rounds):
            for subject in SPEED:
                if subject.__name__ in args.only:
                    _run(subject, bench, found)
        for subject in REST:
            if subject.__name__ in args.only:
                _run(subject, bench, found)
    for name in {"live_sessions", "live_counting"} & found.keys() if "idiom" in found else ():
        times = found[name]["events_per_s"] / found["idiom"]["events_per_s"]
        print(f"{name}: {times:.1f} times the idiom", file=sys.stderr)
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
