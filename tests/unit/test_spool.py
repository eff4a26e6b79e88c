"""The spool on a real directory: durable, bounded, read again after a crash, held by one process."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest.spool import Place, Record, Spool, SpoolError, slot
from ingest.spool import spool as spool_module
from ingest.spool.frame import encode
from ingest.spool.slot import take_slot
from tests.support.wait import until

MIB = 1024 * 1024
ROOM = 4 * MIB


def record(number: int, size_bytes: int = 10) -> Record:
    return Record("clickstream", number % 4, 4, 1_000 + number, str(number).encode().ljust(size_bytes, b" "))


class Running:
    """Spools of one test; the end of a process is the end of its lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spools: list[Spool] = []

    def open(self, max_bytes: int = ROOM) -> Spool:
        spool = Spool(self.root, max_bytes=max_bytes)
        spool.open()
        self.spools.append(spool)
        return spool

    async def crash(self, spool: Spool) -> None:
        self.spools.remove(spool)
        await spool.close(10)

    async def close(self) -> None:
        for spool in self.spools:
            await spool.close(10)

    def segments(self) -> list[Path]:
        return sorted(self.root.rglob("*.seg"))


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    found = Running(tmp_path / "spool")
    yield found
    await found.close()


async def put(spool: Spool, *records: Record) -> list[Place]:
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[Place | SpoolError]] = [loop.create_future() for _ in records]
    for one, future in zip(records, waiting, strict=True):
        spool.append(one, future.set_result)
    outcomes = [await future for future in waiting]
    assert all(isinstance(outcome, Place) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Place)]


async def take_all(spool: Spool) -> list[Record]:
    found = []
    while (portion := await spool.next_portion()) is not None:
        found += [one for one, _ in portion.records]
        spool.release(portion.records[-1][1])
    return found


async def test_what_is_appended_is_read_in_order_and_its_files_go_when_it_is_released(running: Running) -> None:
    spool = running.open()
    kept = [record(i) for i in range(50)]
    await put(spool, *kept)
    assert spool.backlog_bytes == spool.used_bytes > 0
    assert spool.lag_s() > 0
    assert await take_all(spool) == kept
    assert (spool.backlog_bytes, spool.used_bytes, spool.lag_s()) == (0, 0, 0.0)
    await until(lambda: running.segments() == [])


async def test_it_goes_on_after_having_been_empty(running: Running) -> None:
    spool = running.open()
    for i in range(5):
        await put(spool, record(i))
        assert await take_all(spool) == [record(i)]


async def test_many_segments_are_read_in_order(running: Running) -> None:
    spool = running.open(max_bytes=MIB)
    kept = [record(i, 20_000) for i in range(40)]
    for one in kept:
        await put(spool, one)
    assert len(running.segments()) > 3
    assert await take_all(spool) == kept


async def test_what_was_not_released_is_there_after_a_crash_and_what_was_is_not(running: Running) -> None:
    spool = running.open(max_bytes=MIB)
    kept = [record(i, 20_000) for i in range(40)]
    for one in kept:
        await put(spool, one)
    portion = await spool.next_portion()
    assert portion is not None
    spool.release(portion.records[-1][1])
    await running.crash(spool)
    again = running.open(max_bytes=MIB)
    assert again.backlog_bytes > 0
    assert await take_all(again) == kept[len(portion.records) :]


async def test_new_records_come_after_those_of_the_crashed_process(running: Running) -> None:
    spool = running.open()
    await put(spool, record(1))
    await running.crash(spool)
    again = running.open()
    await put(again, record(2))
    assert await take_all(again) == [record(1), record(2)]


@pytest.mark.parametrize("tail", [b"\xf5", encode(record(9))[:-1], bytes(5000)])
async def test_a_torn_tail_is_cut_at_the_last_whole_frame(running: Running, tail: bytes) -> None:
    spool = running.open()
    await put(spool, record(1), record(2))
    await running.crash(spool)
    (segment,) = running.segments()
    segment.write_bytes(segment.read_bytes() + tail)
    again = running.open()
    await put(again, record(3))
    assert await take_all(again) == [record(1), record(2), record(3)]
    assert (again.used_bytes, again.damaged_bytes) == (0, 0)
    await until(lambda: running.segments() == [])


async def test_a_damaged_frame_costs_no_other_and_its_segment_is_kept(running: Running) -> None:
    spool = running.open()
    await put(spool, record(1), record(2), record(3))
    await running.crash(spool)
    (segment,) = running.segments()
    bytes_ = bytearray(segment.read_bytes())
    bytes_[len(encode(record(1))) + 20] ^= 1
    segment.write_bytes(bytes_)
    again = running.open()
    assert await take_all(again) == [record(1), record(3)]
    assert again.damaged_bytes == len(encode(record(2)))
    await until(lambda: list(running.root.rglob("*.damaged")) != [])
    assert next(running.root.rglob("*.damaged")).read_bytes() == bytes(bytes_)


async def test_a_file_of_rubbish_is_no_hindrance(running: Running) -> None:
    spool = running.open()
    await put(spool, record(1))
    await running.crash(spool)
    (segment,) = running.segments()
    segment.with_name("000000000000.seg").write_bytes(b"rubbish" * 1000)
    again = running.open()
    assert await take_all(again) == [record(1)]


async def test_a_segment_that_somebody_removes_holds_up_nobody_and_takes_nothing_more(running: Running) -> None:
    spool = running.open(max_bytes=MIB)
    await put(spool, *(record(i, 20_000) for i in range(4)))  # a segment is full with them
    await put(spool, record(5))
    full, open_ = running.segments()
    full.unlink()
    assert await spool.next_portion() is not None
    open_.unlink()
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Place | SpoolError] = loop.create_future()
    spool.append(record(6), outcome.set_result)
    assert isinstance(await outcome, SpoolError), "it would be lost, and must not be acknowledged"
    await put(spool, record(7))
    assert await take_all(spool) == [record(7)]
    assert spool.used_bytes == 0
    assert spool.damaged_bytes == sum(len(encode(record(i, 20_000))) for i in range(4)) + len(encode(record(5)))


async def test_a_segment_that_cannot_be_read_is_passed_over_in_the_end_and_read_when_it_can(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = running.open(max_bytes=MIB)
    kept = [record(i, 20_000) for i in range(4)]
    await put(spool, *kept)
    await put(spool, record(5))
    bad, _ = running.segments()
    read = spool_module._bytes_of

    def failing(path: Path, start: int, end: int) -> bytes:
        if path == bad:
            raise OSError(errno.EIO, "a bad sector")
        return read(path, start, end)

    monkeypatch.setattr(spool_module, "_bytes_of", failing)
    for _ in range(10):
        with pytest.raises(OSError, match="bad sector"):
            await spool.next_portion()
    portion = await spool.next_portion()
    assert portion is not None
    assert [one for one, _ in portion.records] == [record(5)]
    spool.release(portion.records[-1][1])
    await until(lambda: running.segments() == [bad])
    with pytest.raises(OSError, match="bad sector"):
        await spool.next_portion()
    monkeypatch.undo()
    assert await take_all(spool) == kept
    assert (spool.used_bytes, spool.damaged_bytes) == (0, 0)


async def test_what_does_not_fit_is_refused_at_once_and_fits_when_there_is_room(running: Running) -> None:
    spool = running.open(max_bytes=MIB)
    while spool.has_room(20_100):
        await put(spool, record(1, 20_000))
    with pytest.raises(SpoolError, match="full"):
        spool.append(record(2, 20_100), lambda _: None)
    assert spool.used_bytes <= MIB
    assert sum(path.stat().st_size for path in running.segments()) == spool.used_bytes
    await take_all(spool)
    assert await put(spool, record(2, 20_100)) != []


async def test_an_error_of_the_disk_reaches_those_who_wait_and_nobody_later(running: Running) -> None:
    spool = running.open()
    await put(spool, record(1))
    slot = running.segments()[0].parent
    outcome: asyncio.Future[Place | SpoolError] = asyncio.get_running_loop().create_future()
    assert len(await take_all(spool)) == 1  # the next append begins a segment
    await until(lambda: running.segments() == [])
    (slot / f"{2:012d}.seg").mkdir()  # where it cannot
    spool.append(record(2), outcome.set_result)
    assert isinstance(await outcome, SpoolError)
    assert "exists" in spool.error
    assert (spool.backlog_bytes, spool.used_bytes) == (0, 0)
    (slot / f"{2:012d}.seg").rmdir()
    await put(spool, record(3))
    assert spool.error == ""
    assert await take_all(spool) == [record(3)]


async def test_each_process_has_a_slot_of_its_own_and_takes_over_those_of_the_dead(running: Running) -> None:
    first, second = running.open(), running.open()
    await put(first, record(1))
    await put(second, record(2))
    assert {path.parent.name for path in running.segments()} == {"0", "1"}
    second.adopt_orphans()
    assert await take_all(second) == [record(2)]
    await running.crash(first)
    second.adopt_orphans()
    await until(lambda: second.backlog_bytes > 0)
    assert await take_all(second) == [record(1)]
    await put(second, record(3))
    assert await take_all(second) == [record(3)]


def test_a_new_directory_outlives_a_crash_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was fsynced is lost all the same when the directory it lies in was never made durable."""
    durable: list[Path] = []
    monkeypatch.setattr(slot, "sync_directory", durable.append)
    take_slot(tmp_path / "a" / "spool").release()
    assert durable == [tmp_path, tmp_path / "a", tmp_path / "a" / "spool"]
    take_slot(tmp_path / "a" / "spool").release()
    assert len(durable) == 3


async def test_a_directory_that_cannot_be_used_is_named_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"file/spool cannot be used: .*ingest.spool_dir"):
        take_slot(tmp_path / "file" / "spool")
