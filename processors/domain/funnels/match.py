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

_REMEMBERED: Final = 10_000  # pairs of path and element; a site has far fewer that come again


class Roles(NamedTuple):
    """What one fact is to one funnel: indices of the steps and of the exclusions it matches, and if it is a leave.

    `start`: the step with which it may start an attempt.
    """

    steps: tuple[int, ...] = ()
    exclusions: tuple[int, ...] = ()
    leave: bool = False
    start: int | None = None


_Tests = tuple[tuple[int, Test | None], ...]
"""Indices with what must hold beside the type; None: nothing."""


class _Candidates:
    """What facts of one type may be. Answers that rest on path and element alone are remembered."""

    def __init__(
        self,
        steps: _Tests,
        exclusions: _Tests,
        leaves: _Tests,
        start: Callable[[tuple[int, ...]], int | None],
        *,
        plain: bool,
    ) -> None:
        self._steps, self._exclusions, self._leaves, self._start = steps, exclusions, leaves, start
        self.plain = plain
        self.known: dict[tuple[str, str], Roles | None] = {}

    def roles(self, fact: Fact) -> Roles | None:
        if not self.plain:
            return self._work_out(fact)
        roles = self._work_out(fact)
        if len(self.known) >= _REMEMBERED:
            self.known.clear()
        self.known[fact.path, fact.element] = roles
        return roles

    def _work_out(self, fact: Fact) -> Roles | None:
        steps, exclusions = _hits(self._steps, fact), _hits(self._exclusions, fact)
        leave = bool(_hits(self._leaves, fact))
        return Roles(steps, exclusions, leave, self._start(steps)) if steps or exclusions or leave else None


class Matcher:
    """Tells what a fact is to one funnel.

    `types` of facts that may be something to it, `starting` of those that may start an attempt; None: any type.
    """

    def __init__(self, funnel: Funnel, start: Callable[[tuple[int, ...]], int | None]) -> None:
        """`start`: the step with which a fact that matches these steps starts an attempt."""
        steps = [step.matches for step in funnel.steps]
        exclusions = [exclusion.any_of for exclusion in funnel.exclude]
        leaves = [funnel.leave] if funnel.leave else []
        everything = [match for group in (*steps, *exclusions, *leaves) for match in group]
        self._by_type = {
            type_: _candidates(type_, steps, exclusions, leaves, start)
            for type_ in {match.type for match in everything}
        }
        self._other = self._by_type.get("")
        self.types = None if self._other else frozenset(self._by_type)
        firsts = {match.type for n, matches in enumerate(steps) for match in matches if start((n,)) is not None}
        self.starting = None if "" in firsts else frozenset(firsts)

    def roles(self, fact: Fact) -> Roles | None:
        """What `fact` is to the funnel; None when it is nothing."""
        candidates = self._by_type.get(fact.type, self._other)
        if candidates is None:
            return None
        try:
            return candidates.known[fact.path, fact.element]
        except KeyError:
            return candidates.roles(fact)


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
    type_: str,
    steps: list[tuple[Match, ...]],
    exclusions: list[tuple[Match, ...]],
    leaves: list[tuple[Match, ...]],
    start: Callable[[tuple[int, ...]], int | None],
) -> _Candidates:
    fitting = [m for group in (*steps, *exclusions, *leaves) for m in group if m.type in {"", type_}]
    plain = not any(match.where for match in fitting)
    return _Candidates(_group(type_, steps), _group(type_, exclusions), _group(type_, leaves), start, plain=plain)


def _group(type_: str, group: list[tuple[Match, ...]]) -> _Tests:
    found: list[tuple[int, Test | None]] = []
    for index, matches in enumerate(group):
        fitting = [match for match in matches if match.type in {"", type_}]
        if fitting:
            found.append((index, _any([_test(match) for match in fitting])))
    return tuple(found)


def _hits(candidates: _Tests, fact: Fact) -> tuple[int, ...]:
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
    """Whether a text is `pattern`, in which `*` stands for any run of characters."""
    if "*" not in pattern:
        return lambda text: text == pattern
    matches = re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL).fullmatch
    return lambda text: matches(text) is not None
