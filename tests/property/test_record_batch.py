"""A batch of ours is one that Kafka's other clients read."""

from __future__ import annotations

from aiokafka.record.default_records import DefaultRecordBatch as AiokafkaBatch
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch

from ingest.record_batch import encode

headers = st.lists(st.tuples(st.text(max_size=40), st.binary(max_size=40)), max_size=4)
values = st.binary(max_size=400) | st.builds(
    lambda part, times: part * times, st.binary(max_size=40), st.integers(0, 5000)
)


@given(values, headers, st.integers(0, 2**42))
def test_other_clients_read_what_was_put_in(value: bytes, named: list[tuple[str, bytes]], timestamp_ms: int) -> None:
    encoded = encode(value, named, timestamp_ms)
    for read in (AiokafkaBatch, KafkaPythonBatch):
        batch = read(bytearray(encoded))
        assert batch.validate_crc()
        assert batch.compression_type == batch.CODEC_LZ4
        assert batch.next_offset == 1
        (record,) = batch
        assert (record.offset, record.timestamp, record.key, record.value) == (0, timestamp_ms, None, value)
        assert [(name, bytes(said)) for name, said in record.headers] == named


@given(values)
def test_a_broken_byte_is_noticed(value: bytes) -> None:
    broken = bytearray(encode(value, (), 0))
    broken[-1] ^= 1
    assert not AiokafkaBatch(bytes(broken)).validate_crc()
