"""The offset gate: exactly the next offset, whatever is delivered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.live.gate import OffsetGate, Verdict


def gate(**wanted: int) -> OffsetGate:
    return OffsetGate(wanted or {"clickstream": 5})


def test_the_next_offset_is_let_through_once() -> None:
    one = gate()
    assert one.admit("clickstream", 5) is Verdict.NEXT
    assert one.admit("clickstream", 5) is Verdict.REPEAT
    assert (one.wanted("clickstream"), one.applied()) == (6, {"clickstream": 5})


def test_what_came_before_is_a_repeat() -> None:
    one = gate()
    assert one.admit("clickstream", 4) is Verdict.REPEAT
    assert (one.wanted("clickstream"), one.gaps) == (5, set())


def test_a_gap_is_remembered_until_the_wanted_offset_comes() -> None:
    one = gate()
    assert one.admit("clickstream", 7) is Verdict.GAP
    assert (one.wanted("clickstream"), one.gaps) == (5, {"clickstream"})
    assert one.admit("clickstream", 4) is Verdict.REPEAT
    assert one.gaps == {"clickstream"}
    assert one.admit("clickstream", 5) is Verdict.NEXT
    assert one.gaps == set()
    assert [one.admit("clickstream", n) for n in (6, 7)] == [Verdict.NEXT, Verdict.NEXT]


def test_topics_are_independent() -> None:
    one = gate(clickstream=5, errors=0)
    assert one.admit("errors", 1) is Verdict.GAP
    assert one.admit("clickstream", 5) is Verdict.NEXT
    assert (one.gaps, one.applied()) == ({"errors"}, {"clickstream": 5, "errors": -1})


def test_offsets_that_the_log_no_longer_has_are_given_up() -> None:
    one = gate()
    assert one.skip_to("clickstream", 9) == 4
    assert one.admit("clickstream", 9) is Verdict.NEXT
    assert one.skip_to("clickstream", 3) == 0
    assert one.wanted("clickstream") == 10


def test_the_given_offsets_are_not_changed() -> None:
    wanted = {"clickstream": 5}
    OffsetGate(wanted).admit("clickstream", 5)
    assert wanted == {"clickstream": 5}


@given(st.integers(0, 10), st.lists(st.integers(0, 20), max_size=60))
def test_the_log_is_applied_in_order_without_a_hole(start: int, delivered: list[int]) -> None:
    one = gate(clickstream=start)
    applied = [offset for offset in delivered if one.admit("clickstream", offset) is Verdict.NEXT]
    assert applied == list(range(start, start + len(applied)))
    assert one.wanted("clickstream") not in delivered[_last(delivered, applied) :]


def _last(delivered: list[int], applied: list[int]) -> int:
    """Where the search for a wanted offset that was passed over begins: after the last applied one was delivered."""
    position = 0
    for offset in applied:
        position = delivered.index(offset, position) + 1
    return position


@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_whatever_the_disorder_rewinding_to_the_wanted_offset_ends_well(length: int, random: object) -> None:
    one = gate(clickstream=0)
    applied: list[int] = []
    while len(applied) < length:
        start = random.choice((one.wanted("clickstream"), random.randrange(length)))  # type: ignore[attr-defined]
        for offset in range(start, length):
            if one.admit("clickstream", offset) is Verdict.NEXT:
                applied.append(offset)
    assert applied == list(range(length))
