"""When something changes by silence: each key once, soonest first, and only what still holds."""

from __future__ import annotations

from processors.domain.timetable import Timetable


def test_what_has_passed_comes_soonest_first_and_once() -> None:
    times = Timetable({"b": 20, "said": 0}, {"a": 10})
    times.enter("c", 15, ends=False)
    assert list(times.passed(19)) == [(0, "said", False), (10, "a", True), (15, "c", False)]
    assert list(times.passed(20)) == [(20, "b", False)]
    assert list(times.passed(99)) == []


def test_what_was_entered_last_holds() -> None:
    times = Timetable()
    for key, at, ends in (("a", 5, False), ("a", 9, True), ("b", 5, True), ("b", 7, False), ("c", 5, True)):
        times.enter(key, at, ends=ends)
    times.enter("c", None, ends=True)
    times.enter("d", 5, ends=False)
    times.drop("d")
    assert (times.due, times.ends) == ({"b": 7}, {"a": 9})
    assert list(times.passed(99)) == [(7, "b", False), (9, "a", True)]


def test_entries_may_be_dropped_while_they_pass() -> None:
    times = Timetable({"a": 1, "b": 2})
    found = []
    for _, key, _ in times.passed(2):
        found.append(key)
        times.drop("b")
    assert found == ["a"]
