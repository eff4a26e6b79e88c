"""Funnel definitions as data: TOML files, read once, checked with a message that names file and field."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import msgspec

MIN_STEPS: Final = 2  # one step has no conversion
MAX_STEPS: Final = 12  # more than any checkout studied; keeps rows and screens readable


class FunnelError(ValueError):
    """A funnel definition that cannot be used; the text names the file, the cause and the fix."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step: an event of `type`. `name` is what people read."""

    name: str
    type: str


class Funnel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An ordered funnel. `version` must rise when the steps change, so that old rows keep their meaning."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    window_h: Annotated[float, msgspec.Meta(gt=0, le=24 * 30)] = 24.0
    value: str = "value"
    stall_after_s: Annotated[float, msgspec.Meta(gt=0)] = 120.0
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=MIN_STEPS, max_length=MAX_STEPS)]


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
