"""Days of traffic through a running stack in minutes: the events with their own times, and the time itself, as data.

The stack's live workers have no clock of their own (setting live.clock = "topic"). Each step of simulated time is sent,
waited for until it is applied, and only then told by ticks: so alerts are judged as they would have been.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from processors.domain.alerts.site import LAGGARD_MS
from snag.simulator.block import Block, Blocks, Plan
from snag.simulator.output import KafkaOutput
from snag.simulator.stream import Arrived, arrivals
from snag.simulator.variants import Templates

STEP_MS: Final = LAGGARD_MS // 2
"""Alerts do not wait for a partition that is further behind: with longer steps a minute would be judged by whichever
partition spoke first of the step, and what was found would differ from run to run."""

SETTLING_MS: Final = 4 * 3_600_000  # sessions close, attempts ripen, alerts are resolved
DEADLINE_S: Final = 120.0
_POLL_S: Final = 0.01
_APPLIED: Final = ("snag_live_events_total{", "snag_live_duplicates_total{")
_LAG: Final = "snag_live_frontier_lag_seconds"


class Feed:
    """One plan's events, step by step."""

    def __init__(self, plan: Plan, bootstrap: str, on_block: Callable[[Block], None] | None) -> None:
        self.site = plan.site
        self._slices = arrivals(plan, as_kept=True, on_block=on_block)
        self._rest: Arrived | None = next(self._slices, None)
        self._output = KafkaOutput(bootstrap, "", Templates(Blocks(plan).extra))

    @property
    def is_over(self) -> bool:
        """Whether everything was sent."""
        return self._rest is None

    def until(self, at_ms: int) -> int:
        """Send what arrives before `at_ms` (Unix ms), and wait for Kafka to have it. Returns how many."""
        sent = 0
        while self._rest is not None and self._rest.at_ms[0] < at_ms:
            part = self._rest.between(0, at_ms)
            self._output.send(part, self.site)
            sent += len(part.lines)
            left = self._rest.part(len(part.lines), len(self._rest.lines))
            self._rest = left if left.lines else next(self._slices, None)
        self._output.flush()
        return sent

    def tell_time(self, at_ms: int) -> None:
        """Ticks of `at_ms` (Unix ms)."""
        self._output.tell_time(at_ms)
        self._output.flush()


class Worker:
    """A live worker, seen through its metrics at `url`."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/metrics"

    def wait_applied(self, events: int) -> None:
        """Until `events` were applied, repeats included. Raises TimeoutError."""
        self._wait(lambda lines: sum(_values(lines, _APPLIED)) >= events, f"{events} events are applied")

    def wait_time(self, at_ms: int) -> None:
        """Until its partitions have been told `at_ms` (Unix ms). Raises TimeoutError."""
        slack_ms = 1000  # the gauge is of a moment ago
        self._wait(
            lambda lines: time.time() * 1000 - max(_values(lines, (_LAG,)), default=1e15) * 1000 >= at_ms - slack_ms,
            "the time is known",
        )

    def _wait(self, done: Callable[[Sequence[str]], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with urllib.request.urlopen(self._url, timeout=DEADLINE_S) as answer:
                if done(answer.read().decode().splitlines()):
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {DEADLINE_S:.0f} s still not so: {what}")
            time.sleep(_POLL_S)


def play(feeds: Sequence[Feed], worker: Worker, start_ms: int) -> Iterator[tuple[int, int]]:
    """Send everything, one step of time after the other; after each, its end (Unix ms) and the events so far.

    Nothing of a step is sent before every partition knows the time of the one before it.
    """
    sent, at_ms, end_ms = 0, start_ms, start_ms
    while at_ms < end_ms or not all(feed.is_over for feed in feeds):
        at_ms += STEP_MS
        if not all(feed.is_over for feed in feeds):
            sent += sum(feed.until(at_ms) for feed in feeds)
            end_ms = at_ms + SETTLING_MS
        worker.wait_applied(sent)
        feeds[0].tell_time(at_ms)
        worker.wait_time(at_ms)
        yield at_ms, sent


def _values(lines: Sequence[str], names: tuple[str, ...]) -> list[float]:
    return [float(line.rpartition(" ")[2]) for line in lines if line.startswith(names)]
