from __future__ import annotations

from processors.writer.batch import Buffer, Line, Record, join_lines


def test_a_batch_is_the_records_joined_with_the_offsets_to_commit() -> None:
    buffer = Buffer("clickstream")
    buffer.add(0, 7, b'{"a":1}\n{"a":2}', 1000)
    buffer.add(2, 40, b'{"a":3}', 1001)
    buffer.add(0, 8, b'{"a":4}', 1002)
    assert buffer.size_bytes == 29
    batch = buffer.cut()
    assert batch.body() == b'{"a":1}\n{"a":2}\n{"a":3}\n{"a":4}'
    assert batch.ranges == {0: (7, 8), 2: (40, 40)}
    assert batch.next_offsets == {0: 9, 2: 41}
    assert batch.row_count() == 4
    assert not buffer
    assert buffer.size_bytes == 0


def test_lines_know_their_record_and_skip_blanks() -> None:
    buffer = Buffer("clickstream")
    buffer.add(1, 5, b'{"a":1}\n\n{"a":2}\n', 1000)
    record = Record(1, 5, b'{"a":1}\n\n{"a":2}\n', 1000)
    lines = buffer.cut().lines()
    assert lines == [Line(record, 0, b'{"a":1}'), Line(record, 2, b'{"a":2}')]
    assert join_lines(lines) == b'{"a":1}\n{"a":2}'


def test_a_tombstone_has_no_row_and_its_offset_is_committed() -> None:
    buffer = Buffer("alerts")
    buffer.add(0, 3, None, 1000)
    assert buffer
    batch = buffer.cut()
    assert batch.body() == b""
    assert batch.next_offsets == {0: 4}


def test_lost_partitions_are_forgotten() -> None:
    buffer = Buffer("clickstream")
    buffer.add(0, 7, b"aa", 1000)
    buffer.add(1, 9, b"bbb", 1000)
    buffer.keep({1})
    assert buffer.partitions == {1}
    assert buffer.size_bytes == 3
    assert buffer.cut().next_offsets == {1: 10}
    buffer.add(0, 1, b"x", 1000)
    buffer.keep(())
    assert not buffer


def test_the_token_names_topic_ranges_and_bytes() -> None:
    def token(topic: str, offset: int, value: bytes) -> str:
        buffer = Buffer(topic)
        buffer.add(0, offset, value, 1000)
        batch = buffer.cut()
        return batch.token(batch.body())

    tokens = {token("t", 1, b"x"), token("u", 1, b"x"), token("t", 2, b"x"), token("t", 1, b"y")}
    assert len(tokens) == 4, "a topic made anew has the same offsets and other bytes"
    assert token("t", 1, b"x") in tokens
