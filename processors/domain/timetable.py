"""A timetable: when visitors' rows change by silence next, and when who has come to rest may be let go."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush


class Timetable:
    """Times of one bucket's visitors, receipt times in Unix ms.

    `due`: when a visitor's rows change by silence, 0 when they have changed already and are not yet said. `ends`: when
    a visitor may be let go whole unless more is heard of it. `clock`: a heap of the times in both with the visitors'
    keys; not all of it need hold any more.
    """

    def __init__(self, due: dict[str, int] | None = None, ends: dict[str, int] | None = None) -> None:
        self.due, self.ends = due or {}, ends or {}
        self.clock = [(at, key) for times in (self.due, self.ends) for key, at in times.items()]
        heapify(self.clock)

    def enter(self, key: str, at: int | None, *, ends: bool) -> None:
        """The next change of `key` by silence is `at` (None: there is none); `ends`: it is that it may be let go."""
        entered, over = (self.ends, self.due) if ends else (self.due, self.ends)
        over.pop(key, None)
        if at is not None:
            entered[key] = at
            heappush(self.clock, (at, key))
        else:
            entered.pop(key, None)

    def drop(self, key: str) -> None:
        """Nothing changes for `key` any more."""
        self.due.pop(key, None)
        self.ends.pop(key, None)

    def passed(self, until: int) -> Iterator[tuple[int, str, bool]]:
        """Take out what still holds of the times up to `until`, soonest first: time, key, whether it is an end."""
        while self.clock and self.clock[0][0] <= until:
            at, key = heappop(self.clock)
            if self.due.get(key) == at:
                yield at, key, False
            elif self.ends.get(key) == at:
                yield at, key, True
