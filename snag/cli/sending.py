"""What the commands that send events have in common: the collector to send to, the bar, the count of the verdicts."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from schemas.openapi import RejectedEvent
    from schemas.settings import Settings
    from snag.client import Collector

MAX_EVENTS: Final = 500  # large enough that requests cost little, small enough that a bar moves
MAX_BYTES: Final = 1 << 20

_SHOWN: Final = 20


def open_collector(settings: Settings, collector: str | None, write_key: str | None) -> Collector:
    """The collector of the running stack (or at URL `collector`), with `write_key` or the first site's first key."""
    from snag.addresses import find_collector
    from snag.client import Collector

    return Collector(find_collector(settings, collector), write_key or default_key(settings))


def default_key(settings: Settings) -> str:
    """The first site's first write key."""
    return settings.sites[0].write_keys[0].get_secret_value()


def batch_limits(settings: Settings) -> dict[str, int]:
    """`max_events` and `max_bytes` of one request: never more than the collector takes."""
    envelope_bytes = 64
    return {
        "max_events": min(MAX_EVENTS, settings.ingest.max_batch_events),
        "max_bytes": min(MAX_BYTES, settings.ingest.max_body_bytes) - envelope_bytes,
    }


@dataclass
class Tally:
    """The verdicts on all batches so far; the first few rejections are kept to be shown."""

    accepted: int = 0
    rejected: int = 0
    shown: list[RejectedEvent] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The counts, as `--json` prints them."""
        return {"accepted": self.accepted, "rejected": self.rejected}

    def finish(self) -> None:
        """Show the rejections on stderr and exit with 1 if there were any."""
        if not self.rejected:
            return
        for event in self.shown:
            typer.echo(f"rejected {event.event_id}: {event.code} {event.field}: {event.message}", err=True)
        if self.rejected > len(self.shown):
            typer.echo(f"... and {self.rejected - len(self.shown)} more. See all with: snag tail rejected", err=True)
        raise typer.Exit(1)


def send_batches(
    collector: Collector, batches: Iterable[list[bytes]], tally: Tally, advance: Callable[[int], None]
) -> None:
    """Send every batch, counting verdicts into `tally` and events through `advance`. Raises CollectorError."""
    for batch in batches:
        verdicts = collector.send(batch)
        tally.accepted += verdicts.accepted
        tally.rejected += len(verdicts.rejected)
        tally.shown += verdicts.rejected[: _SHOWN - len(tally.shown)]
        advance(len(batch))


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for `total` events (None: unknown), where stderr is a terminal; call the result with a count."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    count = "{task.completed:,.0f} events" if total is None else "{task.completed:,.0f} of {task.total:,.0f} events"
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(count), TimeElapsedColumn())
    # It leaves nothing behind: the command says how it ended.
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
