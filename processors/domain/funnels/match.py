"""What an event is to a funnel: matchers compiled once from the definition, asked for every fact of a visitor."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from processors.domain.fact import Fact
from processors.domain.props import Value, number_of, text_of
from schemas.funnel import Condition, Funnel, Match, Operator, Scalar

Test = Callable[[Fact], bool]
Holds = Callable[[Value], bool]
Wanted = Scalar | tuple[Scalar, ...] | None

_REMEMBERED: Final = 20_000  # paths and elements; a site with more of them is answered by the pattern itself


_PLACES_KEPT: Final = 10_000  # a site has far fewer paths that are looked at again; then it starts anew


class Roles(NamedTuple):
    """What one fact is to one funnel: indices of the steps and of the exclusions it matches, and if it is a leave."""

    steps: tuple[int, ...]
    exclusions: tuple[int, ...] = ()
    leave: bool = False


class _Candidates(NamedTuple):
    """For facts of one type: who may match. A test of None always holds."""

    steps: tuple[tuple[int, Test | None], ...]
    exclusions: tuple[tuple[int, Test | None], ...]
    leaves: tuple[tuple[int, Test | None], ...]
    constant: Roles | None

    def roles(self, fact: Fact) -> Roles | None:
        if self.constant is not None:
            return self.constant
        steps, exclusions = _hits(self.steps, fact), _hits(self.exclusions, fact)
        leave = bool(_hits(self.leaves, fact))
        return Roles(steps, exclusions, leave) if steps or exclusions or leave else None


class Matcher:
    """Tells what a fact is to one funnel."""

    def __init__(self, funnel: Funnel) -> None:
        steps = [step.matches for step in funnel.steps]
        exclusions = [exclusion.any_of for exclusion in funnel.exclude]
        leaves = [funnel.leave] if funnel.leave else []
        everything = [match for group in (*steps, *exclusions, *leaves) for match in group]
        untyped = any(not match.type for match in everything)
        self._by_type = {
            type_: _candidates(type_, steps, exclusions, leaves) for type_ in {match.type for match in everything}
        }
        self._other = self._by_type.get("") if untyped else None
        self._by_place: dict[tuple[str, str, str], Roles | None] | None = None
        if not any(match.where for match in everything):
            self._by_place = {}

    def roles(self, fact: Fact) -> Roles | None:
        """What `fact` is to the funnel; None when it is nothing."""
        candidates = self._by_type.get(fact.type, self._other)
        if candidates is None or candidates.constant is not None or self._by_place is None:
            return None if candidates is None else candidates.roles(fact)
        place = (fact.type, fact.path, fact.element)
        if place not in self._by_place:
            if len(self._by_place) >= _PLACES_KEPT:
                self._by_place.clear()
            self._by_place[place] = candidates.roles(fact)
        return self._by_place[place]


def properties_of(funnel: Funnel) -> dict[str, set[str]]:
    """Properties that the funnel reads, by type of event; "" stands for events of any type."""
    wanted: dict[str, set[str]] = {}
    for step in funnel.steps:
        for match in step.matches:
            names = {condition.property for condition in match.where}
            wanted.setdefault(match.type, set()).update(names, funnel.values, funnel.breakdown, (funnel.currency,))
    for match in (*(m for exclusion in funnel.exclude for m in exclusion.any_of), *funnel.leave):
        wanted.setdefault(match.type, set()).update(condition.property for condition in match.where)
    return wanted


def _candidates(
    type_: str, steps: list[tuple[Match, ...]], exclusions: list[tuple[Match, ...]], leaves: list[tuple[Match, ...]]
) -> _Candidates:
    groups = [_group(type_, group) for group in (steps, exclusions, leaves)]
    constant = None
    if all(test is None for group in groups for _, test in group):
        indices = [tuple(index for index, _ in group) for group in groups]
        constant = Roles(indices[0], indices[1], bool(indices[2]))
    return _Candidates(groups[0], groups[1], groups[2], constant)


def _group(type_: str, group: list[tuple[Match, ...]]) -> tuple[tuple[int, Test | None], ...]:
    found: list[tuple[int, Test | None]] = []
    for index, matches in enumerate(group):
        fitting = [match for match in matches if match.type in {"", type_}]
        if fitting:
            found.append((index, _any([_test(match) for match in fitting])))
    return tuple(found)


def _hits(candidates: tuple[tuple[int, Test | None], ...], fact: Fact) -> tuple[int, ...]:
    return tuple(index for index, test in candidates if test is None or test(fact))


def _any(tests: list[Test | None]) -> Test | None:
    needed = [test for test in tests if test is not None]
    if len(needed) < len(tests):
        return None
    if len(needed) == 1:
        return needed[0]
    return lambda fact: any(test(fact) for test in needed)


def _test(match: Match) -> Test | None:
    """The test of everything in `match` but its type; None when there is nothing else."""
    tests: list[Test] = []
    if match.path:
        on_path = _glob(match.path)
        tests.append(lambda fact: on_path(fact.path))
    if match.element:
        on_element = _glob(match.element)
        tests.append(lambda fact: on_element(fact.element))
    tests += [_condition(condition) for condition in match.where]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda fact: all(test(fact) for test in tests)


def _condition(condition: Condition) -> Test:
    name = condition.property
    if condition.op == "missing":
        return lambda fact: fact.props is None or fact.props.get(name) is None
    holds = _HOLDS[condition.op](condition.value)

    def test(fact: Fact) -> bool:
        value = fact.props.get(name) if fact.props is not None else None
        return value is not None and holds(value)

    return test


def _among(wanted: Wanted) -> Holds:
    """Whether a value is one of `wanted`: as a number if both are, else as text."""
    texts, numbers = set[str](), set[float]()
    for each in wanted if isinstance(wanted, tuple) else (wanted,):
        value = each if isinstance(each, bool | str | None) else float(each)
        texts.add(text_of(value))
        if (number := number_of(value)) is not None:
            numbers.add(number)
    return lambda value: text_of(value) in texts or number_of(value) in numbers


def _not_among(wanted: Wanted) -> Holds:
    among = _among(wanted)
    return lambda value: not among(value)


def _contains(wanted: Wanted) -> Holds:
    part = str(wanted)
    return lambda value: part in text_of(value)


def _like(wanted: Wanted) -> Holds:
    fits = _glob(str(wanted))
    return lambda value: fits(text_of(value))


def _compared(compare: Callable[[float, float], bool]) -> Callable[[Wanted], Holds]:
    def holds(wanted: Wanted) -> Holds:
        limit = number_of(float(wanted) if isinstance(wanted, int) else None if isinstance(wanted, tuple) else wanted)

        def test(value: Value) -> bool:
            number = number_of(value)
            return number is not None and limit is not None and compare(number, limit)

        return test

    return holds


_HOLDS: Final[Mapping[Operator, Callable[[Wanted], Holds]]] = {
    "exists": lambda _: lambda _: True,
    "eq": _among,
    "ne": _not_among,
    "in": _among,
    "not_in": _not_among,
    "contains": _contains,
    "glob": _like,
    "gt": _compared(operator.gt),
    "ge": _compared(operator.ge),
    "lt": _compared(operator.lt),
    "le": _compared(operator.le),
}
"""For each operator: from the value it is given, the test of a property that is there."""


def _glob(pattern: str) -> Callable[[str], bool]:
    """Whether a text is `pattern`, in which `*` stands for any run of characters; answers are remembered."""
    if "*" not in pattern:
        return lambda text: text == pattern
    matches = re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL).fullmatch
    known: dict[str, bool] = {}

    def fits(text: str) -> bool:
        answer = known.get(text)
        if answer is None:
            answer = matches(text) is not None
            if len(known) < _REMEMBERED:
                known[text] = answer
        return answer

    return fits
