"""A score for people: rich tables on a terminal, the same rows as Markdown in docs/score.md."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from snag.simulator.score.compare import Counted, Detected, Recognised, Score

RECOGNISED = ("", "was", "said", "precision", "recall")
COUNTED = ("", "was", "said", "error")
INCIDENTS = ("incident", "kind", "step", "sessions met", "orders lost", "detected after", "names the step")


def recognised_rows(score: Score) -> list[tuple[str, ...]]:
    """Sessions, attempts, conversions, alerts and each signal."""
    rows = [
        ("sessions", score.sessions),
        ("checkout attempts", score.attempts),
        ("attempts that convert", score.conversions),
        ("incidents, by alerts", score.alerts),
        *((f"signal {name}", found) for name, found in score.signals.items()),
    ]
    return [recognised_row(name, found) for name, found in rows]


def counted_rows(score: Score) -> list[tuple[str, ...]]:
    """Orders and conversion."""
    rows = (
        ("orders", score.orders),
        ("conversion of sessions with a cart", score.session_conversion),
        ("conversion of attempts", score.attempt_conversion),
    )
    return [_counted(name, found) for name, found in rows]


def incident_rows(score: Score) -> list[tuple[str, ...]]:
    """One row an incident."""
    return [_incident(found) for found in score.incidents]


def print_score(console: Console, score: Score) -> None:
    """The three tables, and the alerts that were false."""
    _print(console, RECOGNISED, recognised_rows(score))
    _print(console, COUNTED, counted_rows(score))
    if score.incidents:
        _print(console, INCIDENTS, incident_rows(score))
    for alert in score.false_alerts:
        console.print(f"false alert: {alert}", markup=False, highlight=False)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _print(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table()
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def recognised_row(name: str, found: Recognised) -> tuple[str, ...]:
    """One row of a table headed RECOGNISED."""
    return name, f"{found.told:,}", f"{found.found:,}", _percent(found.precision), _percent(found.recall)


def _counted(name: str, found: Counted) -> tuple[str, ...]:
    if found.told <= 1:
        return name, _percent(found.told), _percent(found.found), f"{found.error * 100:+.2f} points"
    return name, f"{found.told:,.0f}", f"{found.found:,.0f}", f"{found.error * 100:+.2f} %"


def _incident(found: Detected) -> tuple[str, ...]:
    after = "not" if found.minutes is None else f"{found.minutes:.0f} min"
    names = "yes" if found.at_step else "no"
    return (
        *(found.id, found.kind, found.step or "all"),
        *(f"{found.met_sessions:,}", f"{found.lost_orders:,}", after, "" if found.minutes is None else names),
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.1f} %"
