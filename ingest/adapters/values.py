"""Reading decoded JSON whose shape a client chose: what is not of the wanted shape is as good as absent."""

from __future__ import annotations

import math
import re
from typing import Any, Final

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS: Final = re.compile(r"[^A-Za-z0-9]+")
_DIGITS_MAX: Final = 20  # of a time; more is no moment, and Python refuses to read thousands


def string(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def array(value: object) -> list[Any]:
    """`value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def number(value: object) -> float | None:
    """The number that `value` is or spells; None for anything else, NaN and infinities included."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def moment(value: object) -> object:
    """A time as `times.read_moment` takes it: digits in a string, as query strings hold them, become the number."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS_MAX:
        return int(value)
    return value if value != "" else None


def present(props: dict[str, Any]) -> dict[str, Any]:
    """`props` without those that say nothing: null and empty strings, objects and arrays."""
    return {name: value for name, value in props.items() if value is not None and value not in ("", {}, [])}


def snake_case(name: str) -> str:
    """`name` as our types and properties are spelled: "effectiveDirective" is `effective_directive`."""
    return _SEPARATORS.sub("_", _CAMEL.sub("_", name)).strip("_").lower()
