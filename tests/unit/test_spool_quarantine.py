"""The quarantine file: whole lines only, nobody's lost, back into the spool when asked."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections import Counter
from pathlib import Path

import pytest

from ingest.spool import Record, Spool
from ingest.spool.quarantine import Quarantine, QuarantineError, Refused, send_again
from tests.support.wait import until

ROOM = 64 * 1024 * 1024


def refused(name: str, size_bytes: int = 10) -> Refused:
    line = json.dumps({"event_id": name, "é": "x" * size_bytes}, ensure_ascii=False).encode()
    return Refused(Record("errors", 2, 4, 1_000, line), f"{name} is too large")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


async def test_what_is_kept_is_known_again_after_a_restart(root: Path) -> None:
    quarantine = Quarantine(root)
    quarantine.look()
    assert (quarantine.events, quarantine.size_bytes) == (0, 0)
    await quarantine.keep([refused("a"), refused("b")])
    await quarantine.keep([refused("c")])
    later = Quarantine(root)
    later.look()
    for one in (quarantine, later):
        assert (one.events, one.size_bytes, one.reason) == (3, one.path.stat().st_size, "c is too large")
    entry = json.loads(quarantine.path.read_bytes().splitlines()[0])
    assert entry["line"].encode() == refused("a").record.value
    assert (entry["topic"], entry["reason"], entry["received_at_ms"]) == ("errors", "a is too large", 1_000)
    assert quarantine.path.stat().st_mode & 0o077 == 0, "events are nobody else's business"


async def test_what_others_keep_meanwhile_is_counted_with_the_next_own(root: Path) -> None:
    one, other = Quarantine(root), Quarantine(root)
    await one.keep([refused("a")])
    await other.keep([refused("b")])
    await one.keep([refused("c")])
    assert (one.events, one.size_bytes, one.reason) == (3, one.path.stat().st_size, "c is too large")
    assert send_again(root) == 3
    await one.keep([refused("d")])
    assert (one.events, one.size_bytes, one.reason) == (1, one.path.stat().st_size, "d is too large")


async def test_a_line_that_a_crash_cut_short_goes_and_the_others_stay(root: Path) -> None:
    quarantine = Quarantine(root)
    await quarantine.keep([refused("a")])
    with quarantine.path.open("ab") as file:
        file.write(b'{"quarantined_at":"2026')
    await quarantine.keep([refused("b")])
    assert [json.loads(line)["reason"][0] for line in quarantine.path.read_bytes().splitlines()] == ["a", "b"]


async def test_it_counts_as_part_of_the_spool(root: Path) -> None:
    await Quarantine(root).keep([refused("large", 30_000)])
    spool = Spool(root, max_bytes=ROOM)
    spool.open()
    try:
        assert spool.used_bytes > 30_000
        assert spool.backlog_bytes == 0
        assert not spool.has_room(ROOM - 30_000)
    finally:
        await spool.close(10)


@pytest.mark.parametrize("running", [True, False])
async def test_what_is_sent_again_comes_out_of_the_spool(running: bool, root: Path) -> None:
    quarantine = Quarantine(root)
    kept = [refused(f"e{n}", 1_000_000) for n in range(20)]  # more than one segment
    await quarantine.keep(kept)
    spool = Spool(root, max_bytes=ROOM)
    if running:
        spool.open()
    assert send_again(root) == 20
    if not running:
        spool.open()
    try:
        spool.adopt_orphans()
        found: list[Record] = []
        while len(found) < 20:
            await until(lambda: spool.backlog_bytes > 0)
            portion = await spool.next_portion()
            assert portion is not None
            found += [record for record, _ in portion.records]
            spool.release(portion.records[-1][1])
        assert [record.value for record in found] == [one.record.value for one in kept]
        assert {record[:4] for record in found} == {("errors", 0, 0, 1_000)}, "the drain partitions them anew"
        quarantine.look()
        assert (quarantine.events, quarantine.reason) == (0, "")
        assert send_again(root) == 0
    finally:
        await spool.close(10)


async def test_nothing_is_sent_while_a_line_was_edited_wrongly(root: Path) -> None:
    quarantine = Quarantine(root)
    await quarantine.keep([refused("a"), refused("b")])
    quarantine.path.write_bytes(before := quarantine.path.read_bytes().replace(b'"topic":"errors"', b"", 1))
    with pytest.raises(QuarantineError, match=r"quarantine\.ndjson, line 1: .*Nothing was sent\. Mend the line"):
        send_again(root)
    assert quarantine.path.read_bytes() == before
    spool = Spool(root, max_bytes=ROOM)
    spool.open()
    await spool.close(10)
    assert spool.backlog_bytes == 0


def test_nothing_there_is_nothing_to_send(tmp_path: Path) -> None:
    assert send_again(tmp_path / "nowhere") == 0


def test_several_processes_keep_and_send_at_the_same_time(root: Path) -> None:
    """Each event is in the file or in a segment, never in neither."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=keep_many, args=(root, number)) for number in range(2)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        send_again(root)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    send_again(root)
    data = b"".join(path.read_bytes() for path in root.rglob("*.seg"))
    found = Counter({name: data.count(f'"event_id": "{name}"'.encode()) for name in names(0) | names(1)})
    assert set(found.values()) == {1}


def names(number: int) -> set[str]:
    return {f"p{number}-{n}-" for n in range(30)}


def keep_many(root: Path, number: int) -> None:
    async def keep() -> None:
        quarantine = Quarantine(root)
        for name in sorted(names(number)):
            await quarantine.keep([refused(name)])

    asyncio.run(keep())
