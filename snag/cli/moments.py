"""Times as people type them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_span(text: str) -> timedelta:
    """`90s`, `15m`, `1h`, `7d` or `2w`. Raises typer.BadParameter."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no span of time. Write 90s, 15m, 1h, 7d or 2w.")
    return timedelta(seconds=float(match[1]) * _UNITS_S[match[2]])


def parse_moment(text: str) -> datetime:
    """An ISO 8601 date or time, UTC if it names no zone. Raises typer.BadParameter."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no moment. Write one like 2026-11-23T08:00:00Z.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
