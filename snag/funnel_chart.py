"""A funnel as bars for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_BAR_MIN_CHARS: Final = 10
_BAR_MAX_CHARS: Final = 50
_NUMBERS_CHARS: Final = 24  # the step's number, its count, its share and the spaces between

Row = Mapping[str, Any]


def funnel_chart(rows: Sequence[Row], width_chars: int) -> list[str]:
    """Lines of about `width_chars` that draw `rows` of `v_funnel`: one chart per site and version of the funnel.

    A bar's length is the share of the attempts that entered the first step. Between two steps stand how many went on,
    how long they took in the median, who dropped out and what they had in the cart, and who is not decided yet.
    """
    if not rows:
        return ["No attempts in this time."]
    lines: list[str] = []
    for (site, version), steps in groupby(rows, key=lambda row: (row["site"], row["funnel_version"])):
        if lines:
            lines.append("")
        lines.append(f"{site}, version {version}")
        lines += _chart(list(steps), width_chars)
    return lines


def _chart(steps: Sequence[Row], width_chars: int) -> list[str]:
    names = max(len(str(step["name"])) for step in steps)
    bar_chars = max(_BAR_MIN_CHARS, min(_BAR_MAX_CHARS, width_chars - names - _NUMBERS_CHARS))
    lines = []
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        share = step["conversion_from_start"] or 0.0
        bar = _bar(share, bar_chars)
        lines.append(f"{step['step']:>2} {step['name']:<{names}} {bar} {step['entered']:>9,} {share:>7.1%}")
        if after is not None:
            lines.append(" " * (names + 4) + _between(step, after))
    return lines


def _between(step: Row, after: Row) -> str:
    """What happened from `step` to the one `after` it."""
    parts = []
    if after["conversion_from_previous"] is not None:
        parts.append(f"↓ {after['conversion_from_previous']:.1%}")
    if after["median_seconds"] is not None:
        parts.append(f"median {_duration(after['median_seconds'])}")
    parts.append(f"dropped {step['dropped']:,}" + (f" worth {step['value_lost']:,.2f}" if step["value_lost"] else ""))
    if step["open"]:
        parts.append(f"open {step['open']:,}")
    return " · ".join(parts)


def _bar(share: float, chars: int) -> str:
    """`share` (0 to 1) of `chars` characters, to an eighth; what is there at all shows."""
    eighths = max(1 if share > 0 else 0, round(share * chars * 8))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(chars)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
