"""The writer's invariants: nothing dropped, nothing doubled in one pass, nothing committed before it is written."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from processors.writer.batch import Buffer
from processors.writer.bisection import insert_all_but_poison
from processors.writer.delivery import Backoff, Delivery
from processors.writer.failure import RowsRefusedError
from processors.writer.insert import UnavailableError
from schemas.metrics import Metrics
from schemas.rows import RejectedRow


@given(poison=st.lists(st.booleans(), max_size=200))
def test_exactly_the_poison_is_rejected_and_all_else_inserted_once_in_few_inserts(poison: list[bool]) -> None:
    rows = list(range(len(poison)))
    inserted: list[int] = []
    calls = 0

    def insert(part: Sequence[int]) -> None:
        nonlocal calls
        calls += 1
        if any(poison[row] for row in part):
            raise RowsRefusedError("X", "no")
        inserted.extend(part)

    rejected = [row for row, _ in insert_all_but_poison(rows, insert)]
    assert rejected == [row for row in rows if poison[row]]
    assert sorted([*inserted, *rejected]) == rows
    if rows:
        assert calls <= 1 + 2 * len(rejected) * math.ceil(math.log2(len(rows)))


Step = tuple[str, int, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(0, 2), st.integers(0, 3)),  # partition, lines (0: a tombstone)
        st.tuples(st.just("cut"), st.just(0), st.just(0)),
        st.tuples(st.just("lose"), st.integers(0, 2), st.just(0)),  # partition
    ),
    max_size=60,
)


@given(steps=steps)
def test_no_offset_is_committed_before_every_record_up_to_it_is_in_an_insert(steps: list[Step]) -> None:
    buffer = Buffer("t")
    log: dict[int, list[bytes | None]] = {0: [], 1: [], 2: []}
    position = dict.fromkeys(log, 0)  # where this writer reads on
    committed = dict.fromkeys(log, 0)
    written: set[bytes] = set()

    def cut() -> None:
        batch = buffer.cut()
        written.update(line.text for line in batch.lines())
        committed.update(batch.next_offsets)

    for step, partition, lines in steps:
        if step == "record":
            offset = len(log[partition])
            value = b"\n".join(b"%d-%d-%d" % (partition, offset, line) for line in range(lines)) or None
            log[partition].append(value)
        elif step == "cut":
            cut()
        else:
            buffer.keep(set(log) - {partition})
            position[partition] = committed[partition]  # the next owner starts there
        for p, values in log.items():
            for at in range(position[p], len(values)):
                buffer.add(p, at, values[at], 0)
            position[p] = len(values)
        for p, upto in committed.items():
            for value in log[p][:upto]:
                assert value is None or set(value.split(b"\n")) <= written
    cut()
    assert committed == {p: len(values) for p, values in log.items()}
    assert written == {line for values in log.values() for value in values if value for line in value.split(b"\n")}


@given(
    values=st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=20),
    outages=st.lists(st.booleans(), max_size=30),
)
def test_every_row_ends_in_the_table_or_among_the_rejected_whatever_fails_between(
    values: list[list[bool]], outages: list[bool]
) -> None:
    buffer = Buffer("t")
    names: list[tuple[str, bool]] = []
    for offset, record in enumerate(values):
        lines = [(f"{'bad' if bad else 'good'}-{offset}-{index}", bad) for index, bad in enumerate(record)]
        names += lines
        buffer.add(0, offset, "\n".join(name for name, _ in lines).encode(), 0)
    pending = iter(outages)
    table: list[str] = []
    rejected: list[RejectedRow] = []

    def insert(body: bytes, token: str) -> None:
        if next(pending, False):
            raise UnavailableError("down")
        rows = body.decode().split("\n")
        if any(row.startswith("bad") for row in rows):
            raise RowsRefusedError("X", "no")
        table.extend(rows)

    Delivery("t", insert, rejected.extend, Backoff(0.0, 0.0), Metrics()).deliver(buffer.cut(), threading.Event())
    assert sorted(table) == sorted(name for name, bad in names if not bad)
    assert sorted(row.raw for row in rejected) == sorted(name for name, bad in names if bad)
    assert len({row.rejected_id for row in rejected}) == len(rejected)
