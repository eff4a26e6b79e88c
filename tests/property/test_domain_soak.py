"""A million visitors in ten days: state is bounded by those of the last day, and nothing is left when they are gone."""

from __future__ import annotations

import json
from itertools import groupby

import pytest

from processors.domain.bucket import Bucket
from processors.domain.fact import decode_lines
from processors.domain.minutes import Minutes
from processors.domain.partition import Partition
from tests.oracle.events import moment
from tests.property.test_domain_harness import RULES, TOPICS

BASE = 1_763_892_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
DAYS = 10
KEPT_MS = DAY + HOUR  # lateness, the idle time that ends a session, and half an hour between two ticks
BYTES_PER_VISITOR = 700  # of one page view and what was said of it; packed, not compressed


def line(who: int, at: int) -> bytes:
    when = moment(at).isoformat(timespec="milliseconds")
    event = {"event_id": f"e{who:07d}", "site": "shop", "kind": "clickstream", "type": "page_view", "ts": when}
    return json.dumps(event | {"received_at": when, "visitor_id": f"v{who:07d}", "page": f"/p/{who % 20}"}).encode()


def soak(visitors: int) -> None:
    """Let `visitors` come evenly over ten days, one view each, with a tick and a checkpoint every half hour."""
    state = Partition(0, [Bucket() for _ in range(8)], RULES, {}, minutes=Minutes())
    comes_at = (BASE + n * DAYS * DAY // visitors for n in range(visitors))
    most = visitors / DAYS * KEPT_MS / DAY
    offset = 0
    for _, group in groupby(enumerate(comes_at), key=lambda coming: coming[1] // (HOUR // 2)):
        coming = list(group)
        lines, bad = decode_lines(b"\n".join(line(who, at) for who, at in coming))
        assert bad == 0
        state.apply("clickstream", offset, lines)
        size = checkpoint(state, coming[-1][1], offset)
        assert state.visitors() <= most + 1
        assert len(state.minutes) <= KEPT_MS / 60_000 + 60
        assert size <= BYTES_PER_VISITOR * state.visitors() + 300_000
        offset += 1
    assert state.visitors() > 0.9 * most
    for at in (DAYS * DAY + HOUR, DAYS * DAY + 2 * DAY):
        checkpoint(state, BASE + at, offset)
    assert (state.visitors(), len(state.minutes)) == (0, 0)
    for _ in range(2):  # cohorts live a day longer, for late recoveries, and are let go one round after
        size = checkpoint(state, BASE + (DAYS + 3) * DAY, offset)
    assert size < 10_000


def checkpoint(state: Partition, now: int, offset: int) -> int:
    """A tick at `now` (Unix ms) and a whole checkpoint; the size of all blobs in bytes."""
    state.advance(now, dict.fromkeys(TOPICS, True))
    state.emit(now)
    applied = {"clickstream": offset}
    state.minutes.changes(applied)
    return sum(len(state.dump(index, applied)) for index in range(len(state.buckets)))


def test_state_is_bounded_by_the_visitors_of_a_day() -> None:
    soak(10_000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_visitors_leave_nothing_behind() -> None:
    soak(1_000_000)
