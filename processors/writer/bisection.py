"""Finding the rows that ClickHouse refuses, by halving. Pure: the insert is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from processors.writer.failure import RowsRefusedError

T = TypeVar("T")


def insert_all_but_poison(
    rows: Sequence[T], insert: Callable[[Sequence[T]], None]
) -> Iterator[tuple[T, RowsRefusedError]]:
    """Insert `rows`, refused halves again in halves, and yield each single row that is refused, with the refusal.

    Every other row is in exactly one successful insert once the iterator is exhausted. `insert` is called at most
    1 + 2 k ceil(log2 n) times for k poison rows among n, and raises RowsRefusedError for poison; whatever else it
    raises passes through.
    """
    waiting = [rows] if rows else []
    while waiting:
        part = waiting.pop()
        try:
            insert(part)
        except RowsRefusedError as refusal:
            if len(part) == 1:
                yield part[0], refusal
            else:
                middle = len(part) // 2
                waiting += (part[middle:], part[:middle])
