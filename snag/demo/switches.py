"""What is broken in the shop on purpose. A file holds it, so that one command switches what another one serves."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

BREAKS: Final = {
    "payment": "the card processor does not answer: no card is taken",
    "coupon": "the code in the banner is refused as expired",
    "slow-shipping": "the delivery step takes 6 seconds",
    "js-error": "the cart's checkout button throws an error and leads nowhere",
    "dead-button": "the delivery step's button does nothing at all",
    "forced-registration": "no checkout as a guest any more",
}
"""Name of each break, and what a customer meets."""


class Switches:
    """The breaks that are on, read from `path` again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0
        self._on: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        return name in self.on()

    def on(self) -> frozenset[str]:
        """Names of the breaks that are on."""
        try:
            changed = os.stat(self._path).st_mtime_ns
        except OSError:
            return frozenset()
        if changed != self._seen:
            self._seen = changed
            self._on = frozenset(msgspec.json.decode(self._path.read_bytes(), type=list[str])) & BREAKS.keys()
        return self._on

    def set(self, names: Iterable[str]) -> None:
        """Have these breaks on and no others."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(sorted(names)))
        fresh.replace(self._path)
