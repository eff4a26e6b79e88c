"""The clock of `make score`: what is found must not depend on how fast the parts are."""

from __future__ import annotations

from typing import Any, cast

from bench.score.clockwork import SETTLING_MS, STEP_MS, play

EVENTS = 3


class Recorded:
    """A feed with `steps` steps of events and a worker in one, which note what is asked of them."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self.calls: list[tuple[str, int]] = []

    @property
    def is_over(self) -> bool:
        return self._left == 0

    def until(self, at_ms: int) -> int:
        self._left -= 1
        self.calls.append(("until", at_ms))
        return EVENTS

    def tell_time(self, at_ms: int) -> None:
        self.calls.append(("tell_time", at_ms))

    def wait_applied(self, events: int) -> None:
        self.calls.append(("wait_applied", events))

    def wait_time(self, at_ms: int) -> None:
        self.calls.append(("wait_time", at_ms))


def test_a_step_begins_when_everybody_knows_the_time_of_the_one_before() -> None:
    both = Recorded(2)
    told = list(play([cast(Any, both)], cast(Any, both), 0))
    first, second = STEP_MS, 2 * STEP_MS
    assert both.calls[:8] == [
        *(("until", first), ("wait_applied", EVENTS), ("tell_time", first), ("wait_time", first)),
        *(("until", second), ("wait_applied", 2 * EVENTS), ("tell_time", second), ("wait_time", second)),
    ]
    assert told[-1] == (second + SETTLING_MS, 2 * EVENTS)
    assert [call for call in both.calls[8:] if call[0] == "until"] == []
    assert [at for call, at in both.calls if call == "wait_time"] == [at for at, _ in told]
