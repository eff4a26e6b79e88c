"""What every Python program here begins and ends with: the order it reads, and the report it prints."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class Order:
    """The order from standard input. `paced` gives the events one by one, pausing after each."""

    def __init__(self) -> None:
        order = json.load(sys.stdin)
        self.address: str = order["address"]
        self.key: str = order["key"]
        self.events: list[dict[str, Any]] = order["events"]
        self._pause_s: float = order["pause_s"]

    def paced(self) -> Iterator[dict[str, Any]]:
        for event in self.events:
            yield event
            time.sleep(self._pause_s)


def report(failed: Iterable[str], ids: Mapping[str, str] | None = None) -> None:
    """Say which events the client gave up; `ids`: by ordered id the client's own, where it takes none from outside."""
    print(json.dumps({"failed": sorted(failed), "ids": ids or {}}), flush=True)  # noqa: T201 - the answer to the test
