"""Error rates: errors per minute beside everything that happened in that minute."""

from __future__ import annotations

from typing import Any

from processors.domain.bucket import Bucket, visitor_key
from processors.domain.fact import ERROR, Fact
from processors.domain.minutes import Minutes
from processors.domain.rates import cells_of
from schemas.event import to_ms
from schemas.rows import ErrorRateRow
from tests.unit.test_domain_fact import make_fact

EVERYTHING = ("shop", "", "", "/p", "r1", "Firefox")
JS = ("shop", "js", "f1", "/p", "r1", "Firefox")


def happened(at: int, type_: str = "page_view", **fields: Any) -> Fact:
    return make_fact(at, type_, page="/p", release="r1", browser="Firefox", **fields)


def error(at: int, **fields: Any) -> Fact:
    return happened(at, "js_error", **{"error_class": "js", "fingerprint": "f1", "message": "boom", **fields})


class Counting:
    """Minutes and the visitors who make them."""

    def __init__(self) -> None:
        self.minutes, self.bucket = Minutes(), Bucket()

    def happen(self, who: str, fact: Fact) -> None:
        """Count a fact of visitor `who`, or without one of its session, or of nobody."""
        visitor = None
        if who or fact.session_id:
            visitor = self.bucket.visitor(visitor_key("shop", who, fact.session_id))
        self.minutes.count("shop", fact, visitor)
        if visitor is not None:
            visitor.add(fact)

    def rows(self) -> dict[tuple[Any, ...], ErrorRateRow]:
        """Rows not said before, by class, fingerprint and minute (ms)."""
        return {(row.class_, row.fingerprint, to_ms(row.minute)): row for row in self.minutes.rows(7)}


def count(*counted: tuple[str, Fact]) -> dict[tuple[Any, ...], ErrorRateRow]:
    counting = Counting()
    for who, fact in counted:
        counting.happen(who, fact)
    return counting.rows()


def test_an_event_counts_in_the_cell_of_everything() -> None:
    assert cells_of("shop", happened(0)) == (EVERYTHING,)


def test_an_error_counts_in_its_own_cell_too() -> None:
    assert cells_of("shop", error(0)) == (EVERYTHING, JS)


def test_an_error_of_no_class_counts_once() -> None:
    found = count(("ann", error(0, error_class="", fingerprint="")))
    assert {key: row.events for key, row in found.items()} == {("", "", 0): 1}


def test_a_cell_counts_events_sessions_visitors_views_and_requests() -> None:
    found = count(
        ("ann", happened(0, session_id="a")),
        ("ann", error(1, session_id="a")),
        ("ann", error(2, session_id="b")),
        ("bob", happened(3)),
        ("", happened(4, session_id="only")),
        ("", happened(5)),
        ("bob", happened(6, "http_error", kind=ERROR)),
        ("bob", happened(7, "network_error", kind=ERROR)),
        ("bob", happened(8, "http_request")),
    )
    row = found["", "", 0]
    assert (row.events, row.sessions, row.visitors, row.page_views, row.requests, row.version) == (9, 4, 2, 4, 7, 9)
    assert (row.site, row.source_partition, row.class_, row.fingerprint, row.message) == ("shop", 7, "", "", "")
    row = found["js", "f1", 0]
    assert (row.events, row.sessions, row.visitors, row.page_views, row.requests) == (2, 2, 1, 0, 0)
    assert (row.class_, row.fingerprint, row.message) == ("js", "f1", "boom")


def test_each_error_counts_the_sessions_and_visitors_of_its_own() -> None:
    found = count(
        ("ann", error(0)),
        ("ann", error(1, fingerprint="f2")),
        ("ann", error(2, error_class="crash", fingerprint="f2")),
        ("ann", error(3, fingerprint="f2")),
    )
    told = {key[:2]: (row.events, row.sessions, row.visitors) for key, row in found.items()}
    assert told == {("", ""): (4, 1, 1), ("js", "f1"): (1, 1, 1), ("js", "f2"): (2, 1, 1), ("crash", "f2"): (1, 1, 1)}


def test_the_message_is_the_earliest_whatever_the_order() -> None:
    facts = [error(2, message="second"), error(1, message="first"), error(0, message="")]
    for order in (facts, facts[::-1]):
        assert count(*(("ann", fact) for fact in order))["js", "f1", 0].message == "first"


def test_equal_session_ids_of_two_visitors_are_two_sessions() -> None:
    found = count(("ann", happened(0, session_id="1")), ("bob", happened(1, session_id="1")))
    assert found["", "", 0].sessions == 2


def test_minutes_are_cut_by_event_time_in_any_order() -> None:
    times = (60_000, 59_999, 0, 120_000, 60_001)
    found = count(*(("ann", happened(at)) for at in times))
    assert {key[2]: (row.events, row.sessions) for key, row in found.items()} == {
        0: (2, 1),
        60_000: (2, 1),
        120_000: (1, 1),
    }


def test_only_what_changed_is_said_again() -> None:
    counting = Counting()
    for fact in (happened(0), error(1), happened(60_000)):
        counting.happen("ann", fact)
    assert len(counting.rows()) == 3
    assert counting.rows() == {}
    counting.happen("ann", happened(2))
    assert [(key, row.events) for key, row in counting.rows().items()] == [(("", "", 0), 3)]


def test_minutes_rest_come_back_and_are_let_go() -> None:
    counting = Counting()
    counting.happen("ann", happened(0, received=7))
    counting.happen("ann", happened(60_000, received=9))
    counting.rows()
    records = dict(counting.minutes.changes({"clickstream": 1}))
    assert sorted(records) == [0, 60_000]
    assert counting.minutes.changes({"clickstream": 2}) == []  # nothing changed: both rest
    counting.happen("bob", happened(1, received=8))
    assert counting.rows()["", "", 0].events == 2
    assert [at for at, _ in counting.minutes.changes({"clickstream": 3})] == [0]
    counting.minutes.let_go(9)
    assert len(counting.minutes) == 1
    assert counting.minutes.changes({"clickstream": 4}) == [(0, None)]
    counting.minutes.let_go(10)
    assert len(counting.minutes) == 0


def test_a_restored_minute_holds_what_it_counted_and_says_what_was_not_said() -> None:
    counting = Counting()
    counting.happen("ann", happened(0))
    records = {at: record for at, record in counting.minutes.changes({"clickstream": 5}) if record}
    back = Minutes(records, {"clickstream": 3})  # killed before the offsets were written
    assert back.holds("clickstream", 5, happened(1))
    assert not back.holds("clickstream", 6, happened(1))
    assert not back.holds("clickstream", 4, happened(60_000))
    assert back.holds("clickstream", 3, happened(60_000))
    assert not back.holds("errors", 0, happened(1))
    assert back.ahead == {"clickstream": 5}
    assert [row.events for row in back.rows(0)] == [1]
    back.changes({"clickstream": 4})  # the buckets are still behind
    assert (back.offsets, back.holds("clickstream", 5, happened(1))) == ({"clickstream": 4}, True)
