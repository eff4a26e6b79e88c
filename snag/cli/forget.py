"""`snag forget`: a visitor or a user vanishes from every table."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

from typing import Annotated

import typer

from snag.cli.failures import failures
from snag.cli.options import CollectorOption, WriteKeyOption


def forget(
    visitor: Annotated[str, typer.Argument(metavar="VISITOR", help="The visitor id, as the events have it.")],
    *,
    user: Annotated[
        bool, typer.Option("--user", help="VISITOR is a user id: forget it and every visitor id seen with it.")
    ] = False,
    collector: CollectorOption = None,
    write_key: WriteKeyOption = None,
) -> None:
    """Forget a visitor: delete all rows of it, and what still arrives.

    The visitor goes onto the erase list of the write key's site; the writer deletes the rows within seconds.
    """
    from schemas.settings import load_settings
    from snag.cli.sending import open_collector

    settings = load_settings()
    key = settings.privacy.forget_key
    ids = {"user_id": visitor} if user else {"visitor_id": visitor}
    with failures(), open_collector(settings, collector, write_key) as target:
        target.forget(**ids, forget_key=key.get_secret_value() if key else "")
    typer.echo(f"{'user' if user else 'visitor'} {visitor} is on the erase list", err=True)
