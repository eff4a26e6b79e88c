"""Stretches: which facts can bear on each other, and that letting go does not shorten what is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.domain.fact import Fact
from processors.domain.stretch import Stretch, find_stretches, length_at
from tests.unit.test_domain_fact import make_fact

LINK, WINDOW = 10, 50


def window_after(fact: Fact) -> int:
    return WINDOW if fact.type == "product_added" else 0


def found(*facts: Fact, before: Stretch | None = None) -> list[tuple[int, int]]:
    return [(s.start, s.length) for s in find_stretches(facts, before, LINK, window_after)]


def views(*times: int) -> list[Fact]:
    return [make_fact(at) for at in times]


def test_silence_ends_a_stretch() -> None:
    assert found(*views(0, 10, 20, 31)) == [(0, 3), (31, 1)]


def test_a_window_keeps_a_stretch_open() -> None:
    assert found(make_fact(0, "product_added"), *views(50, 60, 71)) == [(0, 3), (71, 1)]


def test_facts_go_on_with_what_was_let_go() -> None:
    before = find_stretches(views(0, 5), None, LINK, window_after)[-1]
    assert found(*views(15, 40), before=before) == [(15, 3), (40, 1)]
    assert found(*views(16, 40), before=before) == [(16, 1), (40, 1)]
    assert found(before=before) == []


def test_a_time_lies_in_the_stretch_that_it_would_go_on_with() -> None:
    stretches = find_stretches(views(5, 6, 40), None, LINK, window_after)
    assert [length_at(stretches, at) for at in (4, 5, 16, 17, 40)] == [0, 2, 2, 0, 1]


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), min_size=1, max_size=30), st.data())
def test_more_facts_never_shorten_and_letting_go_changes_nothing(
    made: list[tuple[int, bool]], data: st.DataObject
) -> None:
    facts = [
        make_fact(at, "product_added" if opens else "page_view", event_id=f"e{n}")
        for n, (at, opens) in enumerate(sorted(made))
    ]
    whole = find_stretches(facts, None, LINK, window_after)
    some = data.draw(st.lists(st.sampled_from(facts), unique=True))
    some.sort(key=lambda fact: fact.order)
    fewer = find_stretches(some, None, LINK, window_after)
    assert all(length_at(fewer, fact.ts) <= length_at(whole, fact.ts) for fact in some)
    cut = data.draw(st.integers(1, len(facts)))
    before = find_stretches(facts[:cut], None, LINK, window_after)[-1]
    rest = find_stretches(facts[cut:], before, LINK, window_after)
    assert all(length_at(rest, fact.ts) == length_at(whole, fact.ts) for fact in facts[cut:])
