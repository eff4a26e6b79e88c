"""`snag quarantine`: events that Kafka refused."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import typer

from snag.cli.failures import failures

app = typer.Typer(no_args_is_help=True, help="Events that Kafka refused.")


@app.callback()
def quarantine() -> None:
    """Events that were taken and that Kafka refused for good."""


@app.command()
def send() -> None:
    """Send again what Kafka refused, once the reason is gone: all that is in the spool directory's quarantine file.

    Run it where the collector runs, with its settings. A running collector sends the events within seconds, another one
    when it starts. What is still refused comes back to the file.
    """
    from ingest.spool import SpoolError
    from ingest.spool.quarantine import QuarantineError, send_again
    from schemas.settings import load_settings
    from snag.errors import SnagError

    with failures():
        try:
            events = send_again(load_settings().spool_root())
        except (QuarantineError, SpoolError) as error:
            raise SnagError(str(error)) from error
    typer.echo(f"{events} event{'' if events == 1 else 's'} will be sent again by the collector", err=True)
