"""Hot keys: one visitor, or one address without ids, that sends far more than any human could.

All events of a key go to one partition, so such a key would hold up everybody beside it (and build a session without
end). Past the threshold its events are flagged, spread over all partitions, and count in rates only.

Counting takes bounded memory whatever comes: a first count per hash cell, and only within a cell that is suspicious one
per key, so that no visitor is flagged for sharing a cell with a hot key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

WINDOW_MS: Final = 60_000

_CELLS: Final = 1 << 16
_MAX_SUSPECTS: Final = 10_000


class HotKeys:
    """Counts events by key over minutes of receipt. A key that was hot stays so while its rate stays above half."""

    def __init__(self, max_per_minute: int) -> None:
        """A key is hot after at most `max_per_minute` events in a minute, and never after less than half of them."""
        self._half = max(1, max_per_minute // 2)
        self._until_ms = 0
        self._cells = [0] * _CELLS
        self._suspects: dict[tuple[str, str], int] = {}
        self._hot: dict[tuple[str, str], int] = {}

    def turn_to(self, now_ms: int) -> None:
        """Begin a new minute if the last one is over at `now_ms` (Unix ms). Call it once a request."""
        if now_ms < self._until_ms:
            return
        is_next = now_ms < self._until_ms + WINDOW_MS
        self._hot = {key: 0 for key, count in self._hot.items() if is_next and count > self._half}
        self._cells = [0] * _CELLS
        self._suspects = {}
        self._until_ms = now_ms + WINDOW_MS

    def among(self, site: str, keys: Iterable[str]) -> list[int]:
        """Count an event for each of `keys` of `site`, an empty one being none; which of them are hot, by place."""
        cells, half, hot, salt = self._cells, self._half, self._hot, hash(site)
        found = []
        for place, key in enumerate(keys):
            if not key:
                continue
            if hot and (site, key) in hot:
                hot[site, key] += 1
                found.append(place)
                continue
            cell = (salt ^ hash(key)) % _CELLS  # texts keep their hash, and nobody outside can choose it
            cells[cell] = count = cells[cell] + 1
            if count > half and self._suspect((site, key)):
                found.append(place)
        return found

    def _suspect(self, key: tuple[str, str]) -> bool:
        if key not in self._suspects and len(self._suspects) >= _MAX_SUSPECTS:
            return False
        count = self._suspects[key] = self._suspects.get(key, 0) + 1
        if count <= self._half:
            return False
        self._hot[key] = count
        return True
