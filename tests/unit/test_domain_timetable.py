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


def test_the_times_of_many_minutes_pass_one_after_the_other() -> None:
    ats = [n * 7_919_000 % 600_000 for n in range(40)]
    times = Timetable({f"due{n}": at for n, at in enumerate(ats[:20])})
    for n, at in enumerate(ats[20:]):
        times.enter(f"end{n}", at, ends=True)
    expected = sorted(
        (at, key, ends) for ends, held in ((False, times.due), (True, times.ends)) for key, at in held.items()
    )
    found = []
    for until in range(0, 660_000, 11_000):
        passed = list(times.passed(until))
        assert all(until - 11_000 < at <= until for at, _, _ in passed)
        found += passed
    assert found == expected
    assert (len(found), times.minutes) == (40, {})


def test_a_time_entered_for_a_minute_that_is_passing_comes_in_its_turn() -> None:
    times = Timetable({"a": 61_000, "b": 90_000})
    assert list(times.passed(70_000)) == [(61_000, "a", False)]
    times.enter("c", 80_000, ends=False)
    times.enter("late", 30_000, ends=True)
    assert list(times.passed(70_000)) == [(30_000, "late", True)]
    assert list(times.passed(90_000)) == [(80_000, "c", False), (90_000, "b", False)]
