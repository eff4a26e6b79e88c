"""`snag doctor`: is everything here that a start needs?"""

from __future__ import annotations

import typer

from snag.cli.failures import FAILED
from snag.cli.options import JsonOption


def doctor(as_json: JsonOption = False) -> None:
    """Check Python, Java, Maven, ports, disk, memory and data directory; one fix per failed check."""
    import msgspec  # noqa: PLC0415  not needed by `snag --help`

    from schemas.settings import load_settings  # noqa: PLC0415  likewise
    from snag.doctor import run_checks  # noqa: PLC0415  likewise

    checks = run_checks(load_settings())
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"checks": checks})).decode())
    else:
        marks = {"ok": "✓", "warn": "!", "fail": "✗"}
        for check in checks:
            fix = f"  → {check.fix}" if check.fix else ""
            typer.echo(f"{marks[check.verdict]} {check.name:<16}{check.found}{fix}")
    if any(check.verdict == "fail" for check in checks):
        raise typer.Exit(FAILED)
