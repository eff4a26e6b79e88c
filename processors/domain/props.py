"""Properties: which of an event's `props` its fact keeps, because a rule reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

Value = float | str | bool | None
Properties = dict[str, Value]
"""Finite numbers, texts, flags and nulls by name; lists and objects are not kept."""

_EMPTY: Final = msgspec.Raw(b"{}")
_TEXT_MAX_CHARS: Final = 200  # as ids: a longer text is prose, which no rule compares


class PropertyReader:
    """Reads the properties that are wanted of each type of event; one for all facts of a worker."""

    def __init__(self, wanted: Mapping[str, Iterable[str]], everywhere: Iterable[str] = ()) -> None:
        """`wanted`: names by type of event; `everywhere`: names wanted of events of any type."""
        always = dict.fromkeys(everywhere)
        self._always = _Wanted(always) if always else None
        names = {type_: {**dict.fromkeys(names), **always} for type_, names in wanted.items()}
        self._by_type = {type_: _Wanted(found) for type_, found in names.items() if found}

    def read(self, type_: str, props: msgspec.Raw) -> Properties | None:
        """The wanted properties of an event of `type_`; None when there are none or `props` is no object."""
        wanted = self._by_type.get(type_, self._always)
        if wanted is None or props == _EMPTY:
            return None
        return wanted.read(props)


class _Wanted:
    """Some properties; decoding passes over all others, a long list of products among them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        fields = [(f"p{n}", Any, msgspec.UNSET) for n in range(len(self._names))]  # a name may be any text
        rename = {f"p{n}": name for n, name in enumerate(self._names)}
        self._decode = msgspec.json.Decoder(msgspec.defstruct("WantedProperties", fields, rename=rename)).decode

    def read(self, props: msgspec.Raw) -> Properties | None:
        try:
            sent = msgspec.structs.astuple(self._decode(props))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        pairs = zip(self._names, map(_value, sent), strict=True)
        kept: Properties = {name: value for name, value in pairs if not isinstance(value, msgspec.UnsetType)}
        return kept or None


def number_of(value: Value | None) -> float | None:
    """The finite number that `value` is or spells; None when there is none. True and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def text_of(value: Value | None) -> str:
    """`value` as people write it: 2.0 is "2", true is "true"; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(int(value)) if value == value // 1 else repr(value)


def _value(value: Any) -> Value | msgspec.UnsetType:
    if isinstance(value, str):
        return value[:_TEXT_MAX_CHARS]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:  # JSON's whole numbers have no bound
            return msgspec.UNSET
    return msgspec.UNSET
