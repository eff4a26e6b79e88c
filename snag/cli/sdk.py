"""`snag sdk`: what a page needs to use the browser SDK."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

from typing import Annotated

import typer

from snag.cli.failures import failures
from snag.cli.options import CollectorOption, JsonOption, WriteKeyOption

app = typer.Typer(no_args_is_help=True, help="The browser SDK.")


@app.callback()
def sdk() -> None:
    """The browser SDK: one script tag."""


@app.command()
def snippet(
    frozen: Annotated[
        bool, typer.Option("--frozen", help="The file of this version, which never changes, with its SRI hash.")
    ] = False,
    collector: CollectorOption = None,
    write_key: WriteKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the script tag for a page.

    The moving file /s.js gets each release by itself; the frozen one changes only when you change the tag.
    """
    import msgspec

    from schemas.settings import load_settings
    from snag.addresses import find_collector
    from snag.browser_sdk import script_tag, shipped
    from snag.cli.sending import default_key

    settings = load_settings()
    with failures():
        made = shipped()
        tag = script_tag(made, find_collector(settings, collector), write_key or default_key(settings), frozen=frozen)
        if as_json:
            said = {"tag": tag, "version": made.version, "files": made.files}
            typer.echo(msgspec.json.format(msgspec.json.encode(said)).decode())
        else:
            typer.echo(tag)
