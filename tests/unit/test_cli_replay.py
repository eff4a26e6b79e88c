"""Replaying a recording: one shift for all times, the file's order, new ids that keep repeats repeats."""

from __future__ import annotations

import itertools
from datetime import datetime

import orjson
import pytest

from snag.replay import NothingRecorded, as_history, shifted, survey

START_MS = 1_795_000_000_000


def line(second: float, event_id: str = "e", **more: object) -> bytes:
    stamp = f"2026-01-01T00:{int(second) // 60:02d}:{second % 60:06.3f}Z"
    return orjson.dumps({"event_id": event_id, "type": "page_view", "ts": stamp, **more})


def numbered(lines: list[bytes]) -> list[tuple[int, bytes]]:
    return list(enumerate(lines, 1))


def replayed(lines: list[bytes], speed: float = 1.0, run: str = "r") -> list[tuple[int, dict[str, str]]]:
    recording = survey(numbered(lines))
    found = shifted(numbered(lines), recording, start_ms=START_MS, speed=speed, run=run)
    return [(delivery.at_ms - START_MS, orjson.loads(delivery.line)) for delivery in found]


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_at_its_own_speed_events_are_due_when_they_happen() -> None:
    found = replayed([line(0), line(10), line(90)])
    assert [due for due, _ in found] == [0, 10_000, 90_000]
    assert [ms(event["ts"]) - START_MS for _, event in found] == [0, 10_000, 90_000]


def test_faster_it_takes_less_time_keeps_its_gaps_and_ends_now() -> None:
    found = replayed([line(0), line(10), line(90)], speed=9.0)
    assert [due for due, _ in found] == [0, 1111, 10_000]
    times = [ms(event["ts"]) for _, event in found]
    assert times[-1] == START_MS + 10_000
    assert [b - a for a, b in itertools.pairwise(times)] == [10_000, 80_000]


def test_late_events_keep_their_place_and_their_lateness() -> None:
    found = replayed([line(0, "a"), line(60, "b"), line(5, "late"), line(61, "c")])
    assert [due for due, _ in found] == [0, 60_000, 60_000, 61_000]
    assert ms(found[2][1]["ts"]) == ms(found[1][1]["ts"]) - 55_000


def test_arrival_is_what_the_collector_wrote_where_it_did() -> None:
    found = replayed(
        [line(0, received_at="2026-01-01T00:00:30.000Z"), line(40, received_at="2026-01-01T00:00:41.000Z")]
    )
    assert [due for due, _ in found] == [0, 11_000]
    assert ms(found[1][1]["ts"]) == START_MS + 11_000 - 1000


def test_repeats_in_the_file_stay_repeats_and_runs_differ() -> None:
    lines = [line(0, "a"), line(1, "a"), line(2, "b")]
    first = [event["event_id"] for _, event in replayed(lines, run="1")]
    second = [event["event_id"] for _, event in replayed(lines, run="2")]
    assert first[0] == first[1] != first[2]
    assert not set(first) & set(second)


def test_history_is_left_as_it_was_but_for_the_old_sending_time() -> None:
    event = line(0, "a", sent_at="2026-01-01T00:00:00Z", props={"value": 1})
    (found,) = as_history([(1, event)])
    assert orjson.loads(found) == {k: v for k, v in orjson.loads(event).items() if k != "sent_at"}


def test_lines_that_are_no_events_are_counted_and_left_out() -> None:
    lines = [line(0), b"{broken", b"[1]", line(1)]
    recording = survey(numbered(lines))
    assert (recording.events, recording.unreadable, recording.span_ms) == (2, [2, 3], 1000)
    assert len(replayed(lines)) == 2


def test_a_recording_without_times_says_how_to_make_one() -> None:
    with pytest.raises(NothingRecorded, match="snag tail clickstream --json"):
        survey([(1, b'{"type": "page_view"}')])
