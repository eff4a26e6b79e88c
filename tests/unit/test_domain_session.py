"""Sessions: 30 idle minutes or 24 hours end one, by event time."""

from __future__ import annotations

from itertools import pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from processors.domain.fact import Fact
from processors.domain.session import Session, SessionRules, sessionise
from tests.unit.test_domain_fact import make_fact

RULES = SessionRules()
MINUTE = 60_000
HOUR = 3_600_000


def sessions_of(*facts: Fact, rules: SessionRules = RULES) -> list[Session]:
    return sessionise("ann", sorted(facts, key=lambda fact: fact.order), rules)


def lengths(*facts: Fact) -> list[int]:
    return [len(session.facts) for session in sessions_of(*facts)]


def test_no_facts_no_sessions() -> None:
    assert sessions_of() == []


def test_thirty_minutes_are_the_same_session_and_one_ms_more_is_not() -> None:
    assert lengths(make_fact(0), make_fact(30 * MINUTE)) == [2]
    assert lengths(make_fact(0), make_fact(30 * MINUTE + 1)) == [1, 1]


def test_the_silence_rule_holds_for_client_ids_too() -> None:
    parts = sessions_of(make_fact(0, session_id="s"), make_fact(30 * MINUTE + 1, session_id="s"))
    assert [(s.session_id, s.started, s.superseded) for s in parts] == [
        ("s", 0, True),
        ("s", 30 * MINUTE + 1, False),
    ]


def test_a_session_lasts_24_hours_at_most() -> None:
    facts = [make_fact(n * 30 * MINUTE) for n in range(49)]
    assert lengths(*facts) == [49]
    assert lengths(*facts, make_fact(24 * HOUR + 1)) == [49, 1]


def test_two_client_ids_at_once_are_two_sessions() -> None:
    assert [s.session_id for s in sessions_of(make_fact(0, session_id="b"), make_fact(1, session_id="a"))] == ["b", "a"]


def test_a_derived_id_names_visitor_and_start() -> None:
    (one,), (same,) = sessions_of(make_fact(5)), sessions_of(make_fact(5), make_fact(6))
    (later,), (other,) = sessions_of(make_fact(6)), sessionise("bob", [make_fact(5)], RULES)
    assert one.session_id == same.session_id
    assert len({one.session_id, later.session_id, other.session_id}) == 3


def test_a_loose_fact_joins_the_session_it_falls_into() -> None:
    (session,) = sessions_of(make_fact(0, session_id="s"), make_fact(10), make_fact(20, session_id="s"))
    assert (session.session_id, [fact.ts for fact in session.facts]) == ("s", [0, 10, 20])


def test_a_loose_fact_joins_the_nearest_session_within_the_idle_time() -> None:
    early, late = make_fact(0, session_id="a"), make_fact(50 * MINUTE, session_id="b")
    assert [(s.session_id, s.started) for s in sessions_of(early, late, make_fact(26 * MINUTE))] == [
        ("a", 0),
        ("b", 26 * MINUTE),
    ]
    assert [len(s.facts) for s in sessions_of(early, late, make_fact(25 * MINUTE))] == [2, 1]  # a tie: the earlier one


def test_a_loose_fact_beyond_the_idle_time_is_a_session_of_its_own() -> None:
    named = make_fact(0, session_id="s")
    assert lengths(named, make_fact(30 * MINUTE)) == [2]
    assert lengths(named, make_fact(30 * MINUTE + 1)) == [1, 1]


def test_a_loose_fact_never_draws_in_the_next() -> None:
    facts = (make_fact(0, session_id="s"), make_fact(20 * MINUTE), make_fact(45 * MINUTE))
    assert lengths(*facts) == [2, 1]


def test_last_received_counts_attached_facts() -> None:
    (session,) = sessions_of(make_fact(0, session_id="s"), make_fact(1, received=9_000))
    assert session.last_received == 9_000


def test_a_tie_in_time_is_broken_by_id_whatever_the_order() -> None:
    facts = [make_fact(7, event_id=i) for i in "cab"]
    for order in permutations(facts):
        assert [fact.event_id for fact in sessions_of(*order)[0].facts] == ["a", "b", "c"]


@given(
    st.lists(st.tuples(st.integers(0, 30 * HOUR), st.sampled_from(["", "a", "b"])), min_size=1, max_size=30),
    st.integers(1, 40 * MINUTE),
)
def test_sessions_share_out_the_facts(drawn: list[tuple[int, str]], idle_ms: int) -> None:
    facts = [make_fact(at, event_id=f"e{n}", session_id=sid) for n, (at, sid) in enumerate(drawn)]
    found = sessions_of(*facts, rules=SessionRules(idle_ms=idle_ms))
    assert sorted(fact.event_id for s in found for fact in s.facts) == sorted(fact.event_id for fact in facts)
    assert len({(s.session_id, s.started) for s in found}) == len(found)
    assert [s.started for s in found] == sorted(s.started for s in found)
    for session in found:
        assert [f.order for f in session.facts] == sorted(f.order for f in session.facts)
        assert all(b.ts - a.ts <= idle_ms for a, b in pairwise(session.facts))
        assert {f.session_id for f in session.facts} <= {"", session.session_id}
