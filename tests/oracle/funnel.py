"""What an event is to a funnel, read straight from the definition's TOML: steps, exclusions, leaves."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import schemas
from tests.oracle.events import Happening

Definition = Mapping[str, Any]

SHIPPED: list[Definition] = [
    tomllib.loads(path.read_text()) for path in sorted((Path(str(schemas.__path__[0])) / "funnels").glob("*.toml"))
]
CHECKOUT = next(funnel for funnel in SHIPPED if funnel["name"] == "checkout")

_TEXT_CHARS = 200


def step_numbers(h: Happening, funnel: Definition) -> list[int]:
    """Indices of the steps that the event matches."""
    return [n for n, step in enumerate(funnel["steps"]) if fits_any(h, step.get("any_of") or [step])]


def fits_any(h: Happening, matches: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the event is what any of the matches asks for."""
    return any(_fits(h, match) for match in matches)


def property_text(h: Happening, name: str) -> str:
    """A property as people write it; empty when it is missing, null, a list or an object."""
    value = _property(h, name)
    return "" if value is None else _written(value)


def money_names(funnel: Definition) -> list[str]:
    """Properties that may hold the money, first choice first."""
    names = funnel.get("value", "value")
    return [names] if isinstance(names, str) else list(names)


def _fits(h: Happening, match: Mapping[str, Any]) -> bool:
    return (
        match.get("type", "") in {"", h.type}
        and _like(h.text("path"), match.get("path", "*"))
        and _like(h.text("element"), match.get("element", "*"))
        and all(_holds(_property(h, c["property"]), c.get("op", "eq"), c.get("value")) for c in match.get("where", ()))
    )


def _like(text: str, pattern: str) -> bool:
    escaped = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(text, escaped)


def _property(h: Happening, name: str) -> str | float | bool | None:
    value = h.props.get(name)
    if isinstance(value, str):
        return value[:_TEXT_CHARS]
    if isinstance(value, bool) or value is None:
        return value
    return float(value) if isinstance(value, int | float) and abs(value) < 1e308 else None


def _written(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else repr(value)


def _number(value: object) -> float | None:
    try:
        number = float(value) if not isinstance(value, bool) else None  # type: ignore[arg-type]  that is the question
    except (TypeError, ValueError):
        return None
    return number if number is not None and abs(number) <= 1e308 else None


def _same(a: Any, b: Any) -> bool:
    both = (_number(a), _number(b))
    return (None not in both and both[0] == both[1]) or _written(a) == _written(float(b) if type(b) is int else b)


def _holds(value: Any, op: str, wanted: Any) -> bool:
    if op in {"missing", "exists"}:
        return (value is None) == (op == "missing")
    if value is None:
        return False
    number = _number(value)
    results = {
        "eq": lambda: _same(value, wanted),
        "ne": lambda: not _same(value, wanted),
        "in": lambda: any(_same(value, each) for each in wanted),
        "not_in": lambda: not any(_same(value, each) for each in wanted),
        "contains": lambda: wanted in _written(value),
        "glob": lambda: _like(_written(value), wanted),
        "gt": lambda: number is not None and number > wanted,
        "ge": lambda: number is not None and number >= wanted,
        "lt": lambda: number is not None and number < wanted,
        "le": lambda: number is not None and number <= wanted,
    }
    return results[op]()
