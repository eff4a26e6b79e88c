"""A funnel as bars for a terminal: how many reached each step, who left there, what it cost, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from textwrap import shorten
from typing import Any, Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_BAR_MIN_CHARS: Final = 10
_BAR_MAX_CHARS: Final = 50
_NUMBERS_CHARS: Final = 24  # the step's number, its count, its share and the spaces between
_ERROR_CHARS: Final = 60

Row = Mapping[str, Any]


def funnel_chart(rows: Sequence[Row], width_chars: int) -> list[str]:
    """Lines of about `width_chars` that draw `rows` of `v_funnel` or `v_funnel_by`, by site, version and segment.

    A bar's length and the percentage behind it are the share of the ripe attempts that entered the step; with no
    attempt ripe yet, the share of all, marked with `~`. Under a step stand how many went on and how long they took in
    the median, who dropped out, what they had at stake, who is not decided yet, and why: what most of the dropped ran
    into there.
    """
    if not rows:
        return ["No attempts in this time."]
    lines: list[str] = []
    for (site, version, segment), steps in groupby(
        rows, key=lambda row: (row["site"], row["funnel_version"], row.get("segment"))
    ):
        if lines:
            lines.append("")
        named = "" if segment is None else f", {segment or '(none)'}"
        lines += _chart(f"{site}, version {version}{named}", list(steps), width_chars)
    return lines


def _chart(title: str, steps: Sequence[Row], width_chars: int) -> list[str]:
    attempts = sum(step["dropped"] + step["open"] for step in steps) + steps[-1]["passed"]
    ripe = steps[0]["ripe_attempts"]
    names = max(len(str(step["name"])) for step in steps)
    bar_chars = max(_BAR_MIN_CHARS, min(_BAR_MAX_CHARS, width_chars - names - _NUMBERS_CHARS))
    note = "" if ripe else ": no attempt is old enough for rates, ~ is the share of all"
    lines = [f"{title}{note}"]
    indent = " " * (names + 4)
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        share = step["conversion_from_start"] if ripe else step["entered"] / max(attempts, 1)
        told = f"{'' if ripe else '~'}{share or 0.0:.1%}"
        bar = _bar(share or 0.0, bar_chars)
        lines.append(f"{step['step']:>2} {step['name']:<{names}} {bar} {step['entered']:>9,} {told:>7}")
        lines += [indent + line for line in (_between(step, after), _why(step, width_chars - len(indent))) if line]
    return lines


def _between(step: Row, after: Row | None) -> str:
    """What happened from `step` to the one `after` it."""
    parts = []
    if after is not None and after["conversion_from_previous"] is not None:
        parts.append(f"↓ {after['conversion_from_previous']:.1%} of {step['ripe']:,}")
    if after is not None and after["median_seconds"] is not None:
        parts.append(f"median {_duration(after['median_seconds'])}")
    if after is not None or step["dropped"]:
        parts.append(f"dropped {step['dropped']:,}" + _money(step))
    if step["open"]:
        parts.append(f"open {step['open']:,}")
    return " · ".join(parts)


def _money(step: Row) -> str:
    if not step["value_lost"]:
        return ""
    return f" worth {step['value_lost']:,.2f} {step['currency']}".rstrip()


def _why(step: Row, width_chars: int) -> str:
    """What most of those who left ran into on the step; goes with leaving, need not be its cause."""
    if not step["dropped"]:
        return ""
    parts = []
    if step["top_error_attempts"]:
        error = shorten(step["top_error"].removesuffix(": "), _ERROR_CHARS, placeholder="..")  # one without a message
        parts.append(f"{error} ({step['top_error_attempts']:,})")
    if step["top_friction_attempts"]:
        parts.append(f"{step['top_friction']} ({step['top_friction_attempts']:,})")
    if not parts:
        return "why: no error or friction seen"
    ran_into = f"why: {' · '.join(parts)}"
    told = f"{ran_into}; {step['troubled']:,} of {step['dropped']:,} saw trouble"
    first = f"{told}, first {step['first_cause']}" if step["first_cause"] else told
    fitting = (text for text in (first, told) if len(text) <= width_chars)
    return next(fitting, shorten(ran_into, max(width_chars, _BAR_MAX_CHARS), placeholder=" .."))


def _bar(share: float, chars: int) -> str:
    """`share` (0 to 1) of `chars` characters, to an eighth; what is there at all shows."""
    eighths = max(1 if share > 0 else 0, round(min(share, 1.0) * chars * 8))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(chars)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
