"""`snag tail`: watch what flows through Kafka."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from snag.cli.failures import failures
from snag.cli.options import KafkaOption


class Stream(StrEnum):
    """What can be watched; the names are the topics'."""

    CLICKSTREAM = "clickstream"
    ERRORS = "errors"
    CHECKOUTS = "checkouts"
    REJECTED = "rejected"
    ALERTS = "alerts"


def tail(
    stream: Annotated[Stream | None, typer.Argument(help="One of them; all if left out.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as its JSON, one a line.")] = False,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest that Kafka keeps.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Stop after so many.")] = None,
    kafka: KafkaOption = None,
) -> None:
    """Print events, rejected ones (with the reason) and alerts live, as Kafka gets them. Ctrl-C stops it."""
    from schemas.settings import load_settings
    from schemas.topics import ALERTS, CHECKOUTS, CLICKSTREAM, ERRORS, REJECTED
    from snag.addresses import find_kafka
    from snag.event_line import readable
    from snag.subscribe import follow

    settings = load_settings()
    watched = [t for t in (CLICKSTREAM, ERRORS, CHECKOUTS, REJECTED, ALERTS) if stream is None or t.name == stream]
    left = limit
    with failures():
        bootstrap = find_kafka(settings, kafka)
        try:
            with closing(
                follow(bootstrap, watched, prefix=settings.kafka.topic_prefix, from_start=from_start)
            ) as records:
                typer.echo(f"watching {', '.join(t.name for t in watched)}; Ctrl-C stops", err=True)
                for record in records:
                    for line in record.lines():
                        typer.echo(line if as_json else readable(record.topic, line))
                        if left is not None and (left := left - 1) == 0:
                            return
        except KeyboardInterrupt:
            return
