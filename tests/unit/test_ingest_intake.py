"""What one request may become, and that its events do not harm each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ingest.batcher import Ticket
from ingest.decode import Submission, decode_native
from ingest.draft import Draft
from ingest.enrichment import Enrichment
from ingest.intake import Intake
from ingest.refusal import RequestError
from schemas.settings import IngestSettings, LimitSettings, PrivacySettings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Taken:
    """A batcher that only remembers what it was given, for topics of three partitions."""

    partitions = 3

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def add(self, topic: str, partition: int, lines: Sequence[bytes], received_at_ms: int, ticket: Ticket) -> None:
        self.lines += lines


def intake(taken: Taken, **settings: Any) -> Intake:
    enrichment = Enrichment(PrivacySettings(), LimitSettings(hot_events_per_minute=0))
    return Intake(IngestSettings(**settings), "", taken, taken, enrichment)


def repeated(count: int, size: int) -> Submission:
    """An adapter's events that all share one property."""
    shared = {"text": "x" * size}
    return Submission([Draft(type="own", props=shared) for _ in range(count)], lambda: [b"{}"] * count)


def test_a_request_whose_events_are_many_times_the_largest_body_is_refused_whole() -> None:
    taken = Taken()
    limited = intake(taken, max_body_bytes=10_000)
    limited.submit("shop", repeated(4, 8_000), NOW)
    assert len(taken.lines) == 4
    with pytest.raises(RequestError) as caught:
        limited.submit("shop", repeated(10, 8_000), NOW)
    assert caught.value.code == "body_too_large"
    assert len(taken.lines) == 4


def test_many_small_events_may_take_more_than_a_small_body() -> None:
    taken = Taken()
    intake(taken, max_body_bytes=1024).submit("shop", repeated(100, 1), NOW)
    assert len(taken.lines) == 100


@pytest.mark.parametrize("levels", [300, 490, 600])
def test_a_deep_event_with_a_secret_harms_no_other(levels: int) -> None:
    taken = Taken()
    deep = '{"a":' * levels + '"joe@mail.example"' + "}" * levels
    body = f'[{{"type":"a"}},{{"type":"b","props":{{"deep":{deep}}}}},{{"type":"c"}}]'
    submission = decode_native(body.encode(), ndjson=False, max_events=10)
    verdicts = intake(taken, max_nesting=500).submit("shop", submission, NOW).verdicts
    assert verdicts.accepted == (3 if levels < 498 else 2)
    assert len(taken.lines) == 3
    assert not any(b"joe@" in line for line in taken.lines)
    assert {msgspec.json.decode(line).get("type") for line in taken.lines} >= {"a", "c"}
