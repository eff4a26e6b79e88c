"""What the data commands print and read: charts, lines, times, batches, pacing."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer

from schemas.topics import ALERTS, CLICKSTREAM, REJECTED
from snag.cli.moments import parse_moment, parse_span
from snag.event_line import readable
from snag.funnel_chart import funnel_chart
from snag.ndjson import batches, read_lines
from snag.pacing import Delivery, paced_batches


def step(number: int, entered: int, before: int | None, **more: Any) -> dict[str, Any]:
    return {
        "site": "shop",
        "funnel_version": 1,
        "step": number,
        "name": f"step{number}",
        "entered": entered,
        "passed": 0,
        "dropped": 0,
        "open": 0,
        "ripe": entered,
        "ripe_attempts": 200,
        "conversion_from_start": entered / 200,
        "conversion_from_previous": None if before is None else entered / before,
        "median_seconds": None if before is None else 75.0,
        "value_lost": 0.0,
        "currency": "",
        "troubled": 0,
        "top_friction": "",
        "top_friction_attempts": 0,
        "top_error": "",
        "top_error_attempts": 0,
        "first_cause": "",
        **more,
    }


def test_a_chart_shows_counts_shares_drops_money_and_time() -> None:
    rows = [step(1, 200, None, dropped=90, open=10, value_lost=4321.5, currency="EUR"), step(2, 100, 200)]
    title, first, between, why, second = funnel_chart(rows, 80)
    assert title == "shop, version 1"
    assert first.split()[:2] == ["1", "step1"] and first.split()[-2:] == ["200", "100.0%"]
    assert second.split()[-2:] == ["100", "50.0%"]
    assert between.strip() == "↓ 50.0% of 200 · median 75 s · dropped 90 worth 4,321.50 EUR · open 10"
    assert why.strip() == "why: no error or friction seen"
    assert first.count("█") == 2 * second.count("█")
    assert max(map(len, (first, second))) <= 80


def test_a_chart_says_why_people_left() -> None:
    seen = {"troubled": 7, "top_friction": "rage_click", "top_friction_attempts": 4, "first_cause": "error:payment"}
    rows = [
        step(1, 9, None, dropped=9, top_error="payment: card declined", top_error_attempts=6, **seen),
        step(2, 0, 9),
    ]
    assert funnel_chart(rows, 120)[3].strip() == (
        "why: payment: card declined (6) · rage_click (4); 7 of 9 saw trouble, first error:payment"
    )
    assert funnel_chart(rows, 80)[3].strip() == "why: payment: card declined (6) · rage_click (4); 7 of 9 saw trouble"
    assert funnel_chart(rows, 70)[3].strip() == "why: payment: card declined (6) · rage_click (4)"
    rows[0] = step(1, 9, None, dropped=9, top_error="payment: ", top_error_attempts=6, **seen)
    assert funnel_chart(rows, 120)[3].strip().startswith("why: payment (6) · ")


def test_a_chart_without_ripe_attempts_says_so_and_marks_its_shares() -> None:
    young: dict[str, Any] = {"ripe": 0, "ripe_attempts": 0, "conversion_from_start": None}
    rows = [step(1, 4, None, passed=1, open=3, **young), step(2, 1, None, passed=1, **young)]
    title, first, _, second = funnel_chart(rows, 80)
    assert title.endswith("no attempt is old enough for rates, ~ is the share of all")
    assert (first.split()[-1], second.split()[-1]) == ("~100.0%", "~25.0%")


def test_a_chart_keeps_sites_versions_and_segments_apart() -> None:
    rows = [step(1, 200, None), step(1, 10, None, site="other", conversion_from_start=1.0)]
    assert [line for line in funnel_chart(rows, 80) if "version" in line] == ["shop, version 1", "other, version 1"]
    rows = [step(1, 2, None, segment=name) for name in ("", "mobile")]
    assert [line for line in funnel_chart(rows, 80) if "version" in line] == [
        "shop, version 1, (none)",
        "shop, version 1, mobile",
    ]


def test_a_small_share_still_shows_and_an_empty_step_does_not() -> None:
    rows = [step(1, 100_000, None, conversion_from_start=1.0), step(2, 1, 100_000, conversion_from_start=1e-5)]
    assert "▏" in funnel_chart(rows, 80)[3]
    rows[1] = step(2, 0, 100_000, conversion_from_start=0.0)
    assert "▏" not in funnel_chart(rows, 80)[3]


def test_no_attempts_is_said() -> None:
    assert funnel_chart([], 80) == ["No attempts in this time."]


def test_an_event_is_one_line_whatever_it_holds() -> None:
    event = {
        "ts": "2026-11-23T23:34:00.123Z",
        "type": "click",
        "visitor_id": "v\x1b[31m\n1",
        "path": "/p",
        "element": "#a",
    }
    line = readable(CLICKSTREAM, orjson.dumps(event))
    assert line.startswith("2026-11-23 23:34:00.123 clickstream click") and line.endswith("/p #a")
    assert line.isprintable()


def test_a_rejected_event_shows_why() -> None:
    row = {
        "received_at": "2026-11-23T23:34:00.123Z",
        "code": "invalid_type",
        "field": "x",
        "message": "no",
        "raw": "{}",
    }
    assert "invalid_type at x: no" in readable(REJECTED, orjson.dumps(row))


def test_an_alert_shows_status_rule_and_summary() -> None:
    row = {
        "status": "firing",
        "severity": "critical",
        "site": "shop",
        "rule": "step_conversion",
        "summary": "payment fell",
    }
    assert "FIRING   critical shop/step_conversion: payment fell" in readable(ALERTS, orjson.dumps(row))


def test_bytes_that_are_no_json_are_shown_as_they_are() -> None:
    assert readable(CLICKSTREAM, b"\xff{") == "clickstream �{"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("1.5h", 5400), ("7d", 604_800)]
)
def test_spans(text: str, seconds: float) -> None:
    assert parse_span(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1y"])
def test_what_is_no_span_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_span(text)


def test_moments_without_a_zone_are_utc() -> None:
    assert parse_moment("2026-11-23").isoformat() == "2026-11-23T00:00:00+00:00"
    assert parse_moment("2026-11-23T02:00:00+02:00").isoformat() == "2026-11-23T00:00:00+00:00"
    with pytest.raises(typer.BadParameter):
        parse_moment("yesterday")


def test_batches_keep_order_and_both_bounds() -> None:
    lines = [b"x" * n for n in (3, 3, 3, 50, 1, 1, 1, 1)]
    made = list(batches(lines, max_events=3, max_bytes=12))
    assert [line for batch in made for line in batch] == lines
    assert [len(batch) for batch in made] == [3, 1, 3, 1]


def test_lines_are_read_plain_and_gzipped_with_their_numbers(tmp_path: Path) -> None:
    text = b'{"a":1}\r\n\n  \n{"b":2}'
    (tmp_path / "plain").write_bytes(text)
    (tmp_path / "packed").write_bytes(gzip.compress(text))
    for name in ("plain", "packed"):
        assert list(read_lines(str(tmp_path / name))) == [(1, b'{"a":1}'), (4, b'{"b":2}')]


def test_nothing_is_sent_before_it_is_due_and_what_is_overdue_comes_in_full_batches() -> None:
    clock = [1000.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds * 1000

    deliveries = [Delivery(at, str(at).encode()) for at in (1, 2, 3, 900, 2000, 2010, 9000)]
    seen = []
    for batch in paced_batches(deliveries, now_ms=lambda: clock[0], sleep=sleep, max_events=3, max_bytes=1000):
        assert all(int(line) <= clock[0] for line in batch)
        seen.append([int(line) for line in batch])
    assert seen == [[1, 2, 3], [900], [2000, 2010], [9000]]
