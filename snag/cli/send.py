"""`snag send`: events from a file or a pipe to the collector."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from snag.cli.failures import FAILED, failures
from snag.cli.options import CollectorOption, JsonOption, WriteKeyOption

_ID_NAMES: Final = ("event_id", "eventId", "messageId")


def send(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="NDJSON, plain or gzipped; - is standard input.")],
    *,
    as_json: JsonOption = False,
    collector: CollectorOption = None,
    write_key: WriteKeyOption = None,
) -> None:
    """Send events: one JSON object a line, as POST /v1/events takes them.

    Prints what was accepted, and each rejected line with the reason; exits with 1 if any was rejected.
    """
    from schemas.settings import load_settings
    from snag.cli.sending import batch_limits, open_collector, progress
    from snag.ndjson import batches, read_lines

    settings = load_settings()
    accepted = 0
    rejected: list[dict[str, Any]] = []
    numbers: deque[int] = deque()

    def readable() -> Iterator[bytes]:
        for number, line in read_lines(file):
            event = _with_id(line)
            if event is None:
                rejected.append({"line": number, "code": "invalid_json", "message": "The line is not JSON: not sent."})
            else:
                numbers.append(number)
                yield event

    with (
        failures(),
        open_collector(settings, collector, write_key) as target,
        progress("sending", None) as advance,
    ):
        for batch in batches(readable(), **batch_limits(settings)):
            verdicts = target.send(batch)
            accepted += verdicts.accepted
            sent_numbers = [numbers.popleft() for _ in batch]
            for event in verdicts.rejected:
                verdict = {"event_id": event.event_id, "code": event.code, "field": event.field}
                rejected.append({"line": sent_numbers[event.index], **verdict, "message": event.message})
            advance(len(batch))
    _report(accepted, sorted(rejected, key=lambda verdict: verdict["line"]), as_json=as_json)
    if rejected:
        raise typer.Exit(FAILED)


def _with_id(line: bytes) -> bytes | None:
    """The event with an id, given here if it has none, so that a retry counts once; None when it is not JSON."""
    import orjson

    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict) or any(event.get(name) is not None for name in _ID_NAMES):
        return line
    return orjson.dumps({**event, "event_id": uuid.uuid4().hex})


def _report(accepted: int, rejected: list[dict[str, Any]], *, as_json: bool) -> None:
    import orjson

    if as_json:
        typer.echo(orjson.dumps({"accepted": accepted, "rejected": rejected}))
        return
    typer.echo(f"accepted {accepted}, rejected {len(rejected)}")
    for verdict in rejected:
        where = f" at {verdict['field']}" if verdict.get("field") else ""
        typer.echo(f"line {verdict['line']}: {verdict['code']}{where}: {verdict['message']}")
