"""Incidents to plant, from a TOML file: what breaks, when, on which step, for whom, and what it does to conversion.

Confounders are planted the same way and break nothing: people who would have bought less (or more) anyway show a sign
that looks like a cause. docs/simulator.md has the format.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from schemas.event import to_ms
from snag.errors import SnagError
from snag.simulator import calibration

Step = Literal["browse", "product_added", "checkout_started", "shipping", "payment"]
STEPS: Final[tuple[Step, ...]] = ("browse", "product_added", "checkout_started", "shipping", "payment")
"""Where a visitor stands: before the cart, or on the funnel's step of that name and not on the next."""

IncidentKind = Literal[
    "payment_decline",
    "js_error",
    "dead_button",
    "slow_page",
    "slow_shipping",
    "coupon_failing",
    "surprise_cost",
    "forced_registration",
    "search_broken",
    "outage",
]
ConfounderKind = Literal["long_browsing", "help_sought", "coupon_hunt", "rage_click"]

_STEP_OF: Final[dict[str, Step]] = {
    "payment_decline": "payment",
    "js_error": "checkout_started",
    "dead_button": "checkout_started",
    "slow_page": "product_added",
    "slow_shipping": "shipping",
    "coupon_failing": "shipping",
    "surprise_cost": "payment",
    "forced_registration": "checkout_started",
    "search_broken": "browse",
    "long_browsing": "browse",
    "help_sought": "payment",
    "coupon_hunt": "shipping",
    "rage_click": "product_added",
}
"""Where a kind strikes unless the file says otherwise; an outage strikes everywhere."""

_OFFSET: Final = re.compile(r"\+(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?$")
_MINUTE_MS: Final = 60_000
_FOREVER_MS: Final = 1 << 62

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]


class IncidentsError(SnagError):
    """The file cannot be used; the text names it, the cause and the fix."""


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom it strikes: everybody where a name is empty."""

    device: str = ""
    browser: str = ""
    country: str = ""
    campaign: str = ""
    release: str = ""


class Incident(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One incident. `conversion`: of those who would have gone on, the share that still does. `share`: of those it
    could strike, whom it does. `start` and `end`: ISO 8601, or "+1d6h30m" after the run's start.
    """

    id: _Name
    kind: IncidentKind
    start: str
    end: str
    conversion: _Share
    step: Step | None = None
    share: _Share = 1.0
    segment: Segment = Segment()
    message: str = ""


class Confounder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """People who show a sign and for whom it is no cause. `intent` multiplies their chance to go on, sign or not."""

    id: _Name
    kind: ConfounderKind
    share: _Share
    intent: Annotated[float, msgspec.Meta(ge=0, le=2)]
    start: str = "+0h"
    end: str = ""
    step: Step | None = None
    segment: Segment = Segment()


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release that all visits from `start` on see."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    start: str


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is planted in one run."""

    incident: tuple[Incident, ...] = ()
    confounder: tuple[Confounder, ...] = ()
    release: tuple[Release, ...] = ()

    def without_incidents(self) -> Script:
        """The same run as it would have been."""
        return msgspec.structs.replace(self, incident=())


NOTHING: Final = Script()


def parse_script(text: str, origin: str) -> Script:
    """The script in TOML `text`; `origin` names it in errors. Raises IncidentsError."""
    try:
        script = msgspec.convert(tomllib.loads(text), Script)
        _check(script)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise IncidentsError(f"incidents {origin}: {error}. docs/simulator.md shows what such a file holds.") from error
    return script


def load_script(path: Path) -> Script:
    """The script in the file `path`. Raises IncidentsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IncidentsError(f"incidents {path}: {error}. Make it a readable UTF-8 file.") from error
    return parse_script(text, str(path))


def step_of(planted: Incident | Confounder) -> Step | None:
    """Where it strikes; None: everywhere."""
    return planted.step or default_step(planted.kind)


def default_step(kind: str) -> Step | None:
    """Where a kind strikes unless the file says otherwise; None: everywhere."""
    return _STEP_OF.get(kind)


def moment_of(text: str, start_ms: int) -> int:
    """Unix ms of `text`: ISO 8601, or "+1d6h30m" after `start_ms`; empty: never. Raises ValueError."""
    if not text:
        return _FOREVER_MS
    found = _OFFSET.match(text)
    if found and any(found.groups()):
        days, hours, minutes = (int(part or 0) for part in found.groups())
        return start_ms + ((days * 24 + hours) * 60 + minutes) * _MINUTE_MS
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write +1d6h30m (after the start) or 2026-11-01T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: write {text}Z for UTC")
    return to_ms(moment)


def _check(script: Script) -> None:
    ids = [incident.id for incident in script.incident] + [confounder.id for confounder in script.confounder]
    for twice in sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"id {twice!r} is there twice; rename one")
    every: list[Incident | Confounder] = [*script.incident, *script.confounder]
    for planted in every:
        try:
            if moment_of(planted.end, 0) <= moment_of(planted.start, 0):
                raise ValueError(f"end {planted.end!r} is not after start {planted.start!r}")
            _check_segment(planted.segment, script)
        except ValueError as error:
            raise ValueError(f"{planted.id}: {error}") from None
    for release in script.release:
        moment_of(release.start, 0)


def _check_segment(segment: Segment, script: Script) -> None:
    releases = [calibration.RELEASE, *(release.name for release in script.release)]
    known: dict[str, Sequence[str]] = {
        "device": [device for device, *_ in calibration.DEVICES],
        "browser": [browser for _, browser, *_ in calibration.DEVICES],
        "country": calibration.COUNTRIES,
        "campaign": [name for *_, name in calibration.CAMPAIGNS if name],
        "release": releases,
    }
    for field, names in known.items():
        wanted = getattr(segment, field)
        if wanted and wanted not in names:
            raise ValueError(f"segment.{field} {wanted!r} is nobody's; there are {', '.join(sorted(set(names)))}")
