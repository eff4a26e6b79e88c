"""A timetable: when visitors' rows change by silence next, and when who has come to rest may be let go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

_MINUTE_MS: Final = 60_000
_NEVER_MS: Final = 1 << 62


class Timetable:
    """Times of one bucket's visitors, receipt times in Unix ms.

    `due`: when a visitor's rows change by silence, 0 when they have changed already and are not yet said. `ends`: when
    a visitor may be let go whole unless more is heard of it. `minutes`: keys by the minute (counted from 1970) that
    their time lies in; not all of it need hold any more. A heap of times and keys takes three times as much memory.
    """

    def __init__(self, due: dict[str, int] | None = None, ends: dict[str, int] | None = None) -> None:
        self.due, self.ends = due or {}, ends or {}
        self.minutes: defaultdict[int, list[str]] = defaultdict(list)
        self._next_ms = _NEVER_MS  # nothing passes before
        for times in (self.due, self.ends):
            for key, at in times.items():
                self._mark(key, at)

    def enter(self, key: str, at: int | None, *, ends: bool) -> None:
        """The next change of `key` by silence is `at` (None: there is none); `ends`: it is that it may be let go."""
        self.due.pop(key, None)
        self.ends.pop(key, None)
        if at is not None:
            (self.ends if ends else self.due)[key] = at
            self._mark(key, at)

    def drop(self, key: str) -> None:
        """Nothing changes for `key` any more."""
        self.due.pop(key, None)
        self.ends.pop(key, None)

    def passed(self, until: int) -> Iterator[tuple[int, str, bool]]:
        """Take out what still holds of the times up to `until`, soonest first: time, key, whether it is an end."""
        found: list[tuple[int, str, bool]] = []
        while self._next_ms <= until:
            minute = self._next_ms // _MINUTE_MS
            held = sorted(self._held(minute))
            later = [(at, key) for at, key, _ in held if at > until]
            found += held[: len(held) - len(later)]
            if later:
                self.minutes[minute] = [key for _, key in later]
                self._next_ms = later[0][0]
            else:
                self._next_ms = min(self.minutes) * _MINUTE_MS if self.minutes else _NEVER_MS
        for at, key, ends in found:
            if (self.ends if ends else self.due).get(key) == at:
                yield at, key, ends

    def _mark(self, key: str, at: int) -> None:
        self.minutes[at // _MINUTE_MS].append(key)
        self._next_ms = min(self._next_ms, at)

    def _held(self, minute: int) -> Iterator[tuple[int, str, bool]]:
        """What lies in `minute`, which is taken out."""
        for key in set(self.minutes.pop(minute)):
            for times in (self.due, self.ends):
                at = times.get(key)
                if at is not None and at // _MINUTE_MS == minute:
                    yield at, key, times is self.ends
