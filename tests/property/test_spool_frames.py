"""The spool's format: what a crash or a rotten disk leaves of a segment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.spool.frame import MARK, Record, encode, frame_bytes, scan

# Values are JSON text, whatever a sender writes into them; topics are names of ours.
values = st.text().map(str.encode) | st.just(MARK.decode("latin-1").encode())
records = st.builds(
    Record,
    topic=st.sampled_from(["clickstream", "errors", "rejected"]),
    partition=st.integers(0, 1023),
    partitions=st.integers(1, 1024),
    received_at_ms=st.integers(0, 2**63),
    value=values,
)
segments = st.lists(records, max_size=8)


def ends(kept: list[Record]) -> list[int]:
    found, end = [], 0
    for record in kept:
        end += frame_bytes(record)
        found.append(end)
    return found


@given(segments)
def test_a_segment_gives_back_what_was_put_in(kept: list[Record]) -> None:
    found = scan(b"".join(map(encode, kept)))
    assert found.records == list(zip(kept, ends(kept), strict=True))
    assert (found.damaged_bytes, found.torn_bytes) == (0, 0)


@given(segments, st.data())
def test_any_prefix_gives_exactly_its_whole_frames(kept: list[Record], data: st.DataObject) -> None:
    whole = b"".join(map(encode, kept))
    cut = data.draw(st.integers(0, len(whole)))
    found = scan(whole[:cut])
    expected = [(record, end) for record, end in zip(kept, ends(kept), strict=True) if end <= cut]
    assert found.records == expected
    assert found.damaged_bytes == 0
    assert found.torn_bytes == cut - (expected[-1][1] if expected else 0)


@given(segments, st.data())
def test_a_write_that_the_disk_filled_with_zeros_is_torn(kept: list[Record], data: st.DataObject) -> None:
    whole = b"".join(map(encode, kept))
    cut = data.draw(st.integers(0, len(whole)))
    found = scan(whole[:cut] + bytes(len(whole) - cut))
    zeros_match = [end for end in ends(kept) if end > cut and not whole[cut:end].strip(b"\0")]
    assert [record for record, _ in found.records] == [
        record for record, end in zip(kept, ends(kept), strict=True) if end <= cut or end in zeros_match
    ]


@given(segments.filter(bool), st.data())
def test_a_flipped_bit_is_noticed_and_costs_one_frame(kept: list[Record], data: st.DataObject) -> None:
    whole = bytearray(b"".join(map(encode, kept)))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << (bit % 8)
    found = scan(bytes(whole))
    hit = next(i for i, end in enumerate(ends(kept)) if bit // 8 < end)
    assert [record for record, _ in found.records] == kept[:hit] + kept[hit + 1 :]
    assert found.damaged_bytes + found.torn_bytes == frame_bytes(kept[hit])
    if hit < len(kept) - 1:
        assert found.damaged_bytes > 0


@given(segments, segments)
def test_reading_goes_on_where_it_stopped(drained: list[Record], left: list[Record]) -> None:
    start = sum(map(frame_bytes, drained))
    found = scan(b"".join(map(encode, drained + left)), start)
    assert found.records == list(zip(left, ends(drained + left)[len(drained) :], strict=True))


@given(records, records)
def test_no_value_can_plant_a_frame(real: Record, planted: Record) -> None:
    """Text cannot hold the mark: with its own frame damaged, no frame is found inside a value."""
    value = encode(planted).decode("latin-1").encode()
    whole = bytearray(encode(real._replace(value=value)))
    whole[8] ^= 1
    assert scan(bytes(whole)).records == []
