"""Ids for events that come without one."""

from __future__ import annotations

import os
from typing import Final

_ID_BYTES: Final = 16  # as many random bits as a UUID has, and six more
_POOL_IDS: Final = 256  # one system call for this many ids


class EventIds:
    """Makes random ids of 32 hex digits, reading the system's randomness in blocks."""

    def __init__(self) -> None:
        self._pool = ""
        self._at = 0

    def next(self) -> str:
        """A new id."""
        if self._at == len(self._pool):
            self._pool = os.urandom(_ID_BYTES * _POOL_IDS).hex()
            self._at = 0
        start = self._at
        self._at = start + 2 * _ID_BYTES
        return self._pool[start : self._at]
