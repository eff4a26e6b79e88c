"""Properties: which of an event's `props` its fact keeps, because a rule reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

Value = float | str | bool
Properties = dict[str, Value]

_EMPTY: Final = msgspec.Raw(b"{}")
_decoder: Final = msgspec.json.Decoder(dict[str, Any])
_TEXT_MAX_CHARS: Final = 200  # as ids: a longer text is prose, which no rule compares


class PropertyReader:
    """Reads the properties that are wanted of each type of event; one for all facts of a worker."""

    def __init__(self, wanted: Mapping[str, Iterable[str]], everywhere: Iterable[str] = ()) -> None:
        """`wanted`: names by type of event; `everywhere`: names wanted of events of any type."""
        self._always = frozenset(everywhere)
        self._by_type = {type_: self._always | frozenset(names) for type_, names in wanted.items()}

    def read(self, type_: str, props: msgspec.Raw) -> Properties | None:
        """The wanted properties of an event of `type_`; None when there are none or `props` is no object."""
        names = self._by_type.get(type_, self._always)
        if not names or props == _EMPTY:
            return None
        try:
            sent = _decoder.decode(props)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        kept = {name: value for name in names & sent.keys() if (value := _value(sent[name])) is not None}
        return kept or None


def number_of(value: Value | None) -> float | None:
    """The finite number that `value` is or spells; None when there is none. True and false are no numbers."""
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def text_of(value: Value | None) -> str:
    """`value` as people write it: 2.0 is "2", true is "true"; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else value


def _value(value: Any) -> Value | None:
    if isinstance(value, str):
        return value[:_TEXT_MAX_CHARS]
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:  # JSON's whole numbers have no bound
            return None
    return None
