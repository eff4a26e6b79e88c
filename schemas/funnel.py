"""Funnel definitions as data: TOML files, checked with a message that names file and field."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

MIN_STEPS: Final = 2  # one step has no conversion
MAX_STEPS: Final = 12  # more than any checkout studied; keeps rows and screens readable

Order = Literal["ordered", "strict", "any"]
Operator = Literal["eq", "ne", "in", "not_in", "gt", "ge", "lt", "le", "contains", "glob", "exists", "missing"]
Scalar = str | float | bool

_NUMERIC: Final = frozenset({"gt", "ge", "lt", "le"})
_LISTS: Final = frozenset({"in", "not_in"})
_BARE: Final = frozenset({"exists", "missing"})
_TEXTS: Final = frozenset({"contains", "glob"})

DIMENSIONS: Final = ("device", "browser", "os", "country", "release", "currency")
"""What every attempt is described by; `breakdown` adds properties to these."""


class FunnelError(ValueError):
    """A funnel definition that cannot be used; the text names the file, the cause and the fix."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a property must be. Without the property only `missing` holds.

    Two numbers, or texts that spell them, are compared as numbers, all else as text with case. `glob`: `*` stands for
    any run of characters.
    """

    property: str
    op: Operator = "eq"
    value: Scalar | tuple[Scalar, ...] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError when operator and value do not go together."""
        value = self.value
        told = f"condition on {self.property!r}: {self.op!r}"
        if self.op in _BARE and value is not None:
            raise ValueError(f"{told} takes no value")
        if self.op in _LISTS and not isinstance(value, tuple):
            raise ValueError(f"{told} takes a list of values")
        if self.op not in _LISTS | _BARE and (value is None or isinstance(value, tuple)):
            raise ValueError(f"{told} takes one value")
        if self.op in _NUMERIC and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{told} takes a number")
        if self.op in _TEXTS and not isinstance(value, str):
            raise ValueError(f"{told} takes a text")


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an event must be: of `type`, on a `path`, on an `element`, with properties; everything named must hold.

    In `path` and `element`, `*` stands for any run of characters, slashes too.
    """

    type: str = ""
    path: str = ""
    element: str = ""
    where: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError when nothing is named: it would match every event."""
        if not (self.type or self.path or self.element or self.where):
            raise ValueError("a match needs a type, path, element or where")


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One step, reached by an event that any of the matches takes. An optional one may be left out.

    A single match is written into the step itself; several stand in `any_of`.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    optional: bool = False
    type: str = ""
    path: str = ""
    element: str = ""
    where: tuple[Condition, ...] = ()
    any_of: tuple[Match, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError unless there is one match here or some in `any_of`."""
        flat = bool(self.type or self.path or self.element or self.where)
        if flat == bool(self.any_of):
            raise ValueError(f"step {self.name!r} needs either a type, path, element or where, or a list `any_of`")

    @property
    def matches(self) -> tuple[Match, ...]:
        """The alternatives."""
        return self.any_of or (Match(type=self.type, path=self.path, element=self.element, where=self.where),)


class Exclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events that take an attempt out of the funnel, out of all its rates, between two of its steps.

    `after` and `before` name steps; by default from the start of the attempt to its end.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    any_of: Annotated[tuple[Match, ...], msgspec.Meta(min_length=1)]
    after: str = ""
    before: str = ""


class Funnel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A funnel. `version` must rise when its meaning changes, so that old rows keep theirs.

    `order`: `ordered`: other events may lie between; `strict`: no step of the funnel may, out of its turn; `any`: steps
    in any order. `value`: the property that holds the money at stake, or several of which the first found counts.
    `stall_after_s` holds until enough times of the step are known, and for the alerts' "passed in time".
    `ripe_after_s`: how old an attempt must be to count in rates. `leave`: events that abandon an attempt at once.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    order: Order = "ordered"
    window_h: Annotated[float, msgspec.Meta(gt=0, le=24 * 30)] = 24.0
    value: str | tuple[str, ...] = "value"
    currency: str = "currency"
    stall_after_s: Annotated[float, msgspec.Meta(gt=0)] = 120.0
    ripe_after_s: Annotated[float, msgspec.Meta(ge=0)] = 1800.0
    breakdown: Annotated[tuple[str, ...], msgspec.Meta(max_length=8)] = ()
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=MIN_STEPS, max_length=MAX_STEPS)]
    exclude: tuple[Exclusion, ...] = ()
    leave: tuple[Match, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError when the parts do not fit together."""
        names = [step.name for step in self.steps]
        if len(set(names)) < len(names):
            raise ValueError("two steps have the same name")
        if self.steps[-1].optional and self.order != "any":
            raise ValueError("the last step completes the funnel and cannot be optional")
        if all(step.optional for step in self.steps):
            raise ValueError("at least one step must not be optional")
        for exclusion in self.exclude:
            for name in (exclusion.after, exclusion.before):
                if name and name not in names:
                    raise ValueError(f"exclusion {exclusion.name!r} names step {name!r}, which is none")
        if taken := set(self.breakdown) & set(DIMENSIONS):
            raise ValueError(f"breakdown {sorted(taken)[0]!r} is there without being asked for")

    @property
    def values(self) -> tuple[str, ...]:
        """The properties that may hold the money, first choice first."""
        return (self.value,) if isinstance(self.value, str) else self.value


def parse_funnel(text: str, origin: str) -> Funnel:
    """The funnel in TOML `text`; `origin` names it in errors. Raises FunnelError."""
    try:
        return msgspec.convert(tomllib.loads(text), Funnel)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise FunnelError(f"funnel {origin}: {error}. Compare it with schemas/funnels/checkout.toml.") from error


def load_funnels(directory: Path | None = None) -> tuple[Funnel, ...]:
    """Snag's own funnels and those in `directory` (*.toml), which replace built-in ones of the same name.

    Raises FunnelError when one is unreadable or two in `directory` share a name.
    """
    found = {f.name: f for f in _parse_all((p.name, p.read_text()) for p in _builtin())}
    if directory is not None:
        own: dict[str, Funnel] = {}
        for funnel in _parse_all((str(p), p.read_text()) for p in sorted(directory.glob("*.toml"))):
            if funnel.name in own:
                raise FunnelError(f"funnel {funnel.name!r} is defined twice in {directory}. Rename one of them.")
            own[funnel.name] = funnel
        found |= own
    return tuple(found.values())


def _builtin() -> list[Path]:
    root = Path(str(files("schemas"))) / "funnels"
    return sorted(root.glob("*.toml"))


def _parse_all(sources: Iterable[tuple[str, str]]) -> list[Funnel]:
    return [parse_funnel(text, origin) for origin, text in sources]
