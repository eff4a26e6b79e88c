"""The store: buckets, meta and journal go into a table and come back."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from processors.domain.bucket import Bucket, visitor_key
from processors.domain.funnels.patience import StepTimes
from processors.domain.visitor import SESSION, NewRow, RowId
from processors.live.store import Meta, StateRefused, Store
from tests.oracle.fakes import FakeTable
from tests.unit.test_domain_fact import make_fact


def blob(offset: int, *who: str) -> bytes:
    bucket = Bucket()
    bucket.offsets = {"clickstream": offset}
    for name in who:
        bucket.visitor(visitor_key("shop", name, "")).facts["e1"] = make_fact(1)
    return bucket.dump(lambda _: False)


def new_row(name: str) -> NewRow:
    return (0, visitor_key("shop", name, ""), RowId(SESSION, "", name, 1))


def test_an_empty_table_holds_new_buckets() -> None:
    loaded = Store(FakeTable()).load(3, 4)
    assert [bucket.offsets for bucket in loaded.buckets] == [{}] * 4
    assert (loaded.new_rows, loaded.journal, loaded.next_journal) == ([], 0, 0)


def test_what_was_saved_is_loaded() -> None:
    table = FakeTable()
    store = Store(table)
    size_bytes = store.save_bucket(3, 1, blob(7, "ann"))
    store.save_meta(3, Meta({"clickstream": 5, "errors": 2}, 2, 0), 0)
    loaded = Store(FakeTable(table.log)).load(3, 99)
    assert size_bytes == len(table.data[b"3/b/1"])
    assert [bucket.offsets for bucket in loaded.buckets] == [
        {"clickstream": 5, "errors": 2},  # nothing to write: raised by the meta record
        {"clickstream": 7, "errors": 2},  # written later in the round: keeps its own
    ]
    assert [len(bucket.visitors) for bucket in loaded.buckets] == [0, 1]


def test_partitions_do_not_mix() -> None:
    store = Store(FakeTable())
    store.save_bucket(1, 0, blob(7, "ann"))
    store.save_meta(1, Meta({"clickstream": 7}, 1, 0), 0)
    assert store.load(11, 1).buckets[0].offsets == {}


async def test_journal_entries_that_still_count_are_loaded() -> None:
    table = FakeTable()
    store = Store(table)
    for number, name in enumerate(("ann", "bob", "cat")):
        await store.save_journal(3, number, [new_row(name)])
    loaded = Store(FakeTable(table.log)).load(3, 1)
    assert [row[2].id for row in loaded.new_rows] == ["ann", "bob", "cat"]
    assert loaded.new_rows[0] == new_row("ann")
    assert (loaded.journal, loaded.next_journal) == (0, 3)


async def test_meta_drops_the_journal_it_covers() -> None:
    table = FakeTable()
    store = Store(table)
    for number, name in enumerate(("ann", "bob", "cat")):
        await store.save_journal(3, number, [new_row(name)])
    store.save_meta(3, Meta({}, 1, 2), 0)
    assert [key for key in table.data if b"/j/" in key] == [b"3/j/2"]
    loaded = Store(FakeTable(table.log)).load(3, 1)
    assert [row[2].id for row in loaded.new_rows] == ["cat"]
    assert (loaded.journal, loaded.next_journal) == (2, 3)


def test_an_emptied_journal_goes_on_with_its_numbers() -> None:
    store = Store(FakeTable())
    store.save_meta(3, Meta({}, 1, 7), 7)
    loaded = store.load(3, 1)
    assert (loaded.new_rows, loaded.journal, loaded.next_journal) == ([], 7, 7)


def test_meta_is_written_before_the_journal_is_dropped() -> None:
    table = FakeTable()
    store = Store(table)

    async def main() -> None:
        await store.save_journal(3, 0, [new_row("ann")])

    asyncio.run(main())
    store.save_meta(3, Meta({"clickstream": 5}, 1, 1), 0)
    assert [key for key, _ in table.log] == [b"3/j/0", b"3/meta", b"3/j/0"]
    for seed in range(20):
        loaded = Store(table.crashed(Random(seed))).load(3, 1)
        covered = loaded.buckets[0].offsets == {"clickstream": 5}
        assert covered or [row[2].id for row in loaded.new_rows] == ["ann"]


def test_step_times_are_written_when_they_changed() -> None:
    table = FakeTable()
    store = Store(table)
    times = StepTimes()
    store.save_step_times(3, times)
    assert table.data == {}
    times.learn(("shop", "checkout", 1, 0), 7.0, 0)
    store.save_step_times(3, times)
    written = len(table.log)
    store.save_step_times(3, times)
    assert (written, len(table.log)) == (1, 1)
    assert Store(FakeTable(table.log)).load(3, 1).step_times.dump() == times.dump()


def test_state_of_another_version_is_refused_with_what_to_do() -> None:
    table = FakeTable()
    table[b"3/b/0"] = b"\x28" + blob(7, "ann")[1:]
    with pytest.raises(StateRefused, match=r"partition 3 was written by another version.*run `snag rebuild`"):
        Store(table).load(3, 1)
