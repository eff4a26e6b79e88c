"""Error rates: errors per minute beside everything that happened in that minute."""

from __future__ import annotations

from typing import Any

from processors.domain.bucket import Bucket, visitor_key
from processors.domain.fact import Fact
from processors.domain.rates import Cell, CellKey, cells_of, rate_row
from tests.unit.test_domain_fact import make_fact

MINUTE = ("shop", 0)
EVERYTHING = ("", "", "/p", "r1", "Firefox")
JS = ("js", "f1", "/p", "r1", "Firefox")


def happened(at: int, type_: str = "page_view", **fields: Any) -> Fact:
    return make_fact(at, type_, page="/p", release="r1", browser="Firefox", **fields)


def error(at: int, **fields: Any) -> Fact:
    return happened(at, "js_error", **{"error_class": "js", "fingerprint": "f1", "message": "boom", **fields})


def happen(bucket: Bucket, who: str, fact: Fact) -> None:
    """Count a fact of visitor `who`, or without one of its session, or of nobody."""
    visitor = None
    if who or fact.session_id:
        visitor = bucket.visitor(visitor_key("shop", who, fact.session_id))
    bucket.count("shop", fact, visitor)
    if visitor is not None:
        visitor.add(fact)


def cells(*counted: tuple[str, Fact]) -> dict[CellKey, Cell]:
    bucket = Bucket()
    for who, fact in counted:
        happen(bucket, who, fact)
    minute = bucket.minutes.get(MINUTE)
    assert minute is not None
    return minute.cells


def test_an_event_counts_in_the_cell_of_everything() -> None:
    assert cells_of(happened(0)) == (EVERYTHING,)


def test_an_error_counts_in_its_own_cell_too() -> None:
    assert cells_of(error(0)) == (EVERYTHING, JS)


def test_an_error_of_no_class_counts_once() -> None:
    found = cells(("ann", error(0, error_class="", fingerprint="")))
    assert {key: cell.events for key, cell in found.items()} == {EVERYTHING: 1}


def test_a_cell_counts_events_sessions_visitors_and_views() -> None:
    found = cells(
        ("ann", happened(0, session_id="a")),
        ("ann", error(1, session_id="a")),
        ("ann", error(2, session_id="b")),
        ("bob", happened(3)),
        ("", happened(4, session_id="only")),
        ("", happened(5)),
    )
    row = rate_row(MINUTE, EVERYTHING, [found[EVERYTHING]], 7)
    assert (row.events, row.sessions, row.visitors, row.page_views, row.version) == (6, 4, 2, 4, 6)
    assert (row.source_partition, row.class_, row.fingerprint, row.message) == (7, "", "", "")
    row = rate_row(MINUTE, JS, [found[JS]], 7)
    assert (row.events, row.sessions, row.visitors, row.page_views) == (2, 2, 1, 0)
    assert (row.class_, row.fingerprint, row.message) == ("js", "f1", "boom")


def test_the_message_is_the_earliest_whatever_the_order() -> None:
    facts = [error(2, message="second"), error(1, message="first"), error(0, message="")]
    for order in (facts, facts[::-1]):
        assert cells(*(("ann", fact) for fact in order))[JS].message == "first"


def test_parts_add_up() -> None:
    one, other = cells(("ann", error(5, message="late")))[JS], cells(("bob", error(3, message="early")))[JS]
    row = rate_row(MINUTE, JS, [one, other], 0)
    assert (row.events, row.sessions, row.visitors, row.message) == (2, 2, 2, "early")


def test_equal_session_ids_of_two_visitors_are_two_sessions() -> None:
    together = cells(("ann", happened(0, session_id="1")), ("bob", happened(1, session_id="1")))
    apart = [cells((who, happened(0, session_id="1")))[EVERYTHING] for who in ("ann", "bob")]
    assert rate_row(MINUTE, EVERYTHING, apart, 0).sessions == 2
    assert rate_row(MINUTE, EVERYTHING, [together[EVERYTHING]], 0).sessions == 2


def test_minutes_are_cut_by_event_time() -> None:
    bucket = Bucket()
    happen(bucket, "ann", happened(59_999, received=10**6))
    happen(bucket, "ann", happened(60_000))
    assert sorted(bucket.minutes.keys()) == [("shop", 0), ("shop", 60_000)]
