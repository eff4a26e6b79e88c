"""`snag config show`: every setting, its value, and where the value came from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from snag.cli.options import JsonOption

app = typer.Typer(help="The configuration.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """The configuration: CLI > environment (SNAG_) > .env > snag.toml > default."""


@app.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Also print where each value came from.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every setting. Secrets are never shown."""
    import orjson  # noqa: PLC0415  not needed by `snag --help`

    values = resolved()
    if as_json:
        shown = {name: {"value": value, "origin": source} for name, (value, source) in values.items()}
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2, default=str).decode())
        return
    names = max(map(len, values))
    widths = max(len(str(value)) for value, _ in values.values())
    for name, (value, source) in values.items():
        line = f"{name:<{names}}  {value if value != '' else '-'!s:<{widths}}"
        typer.echo(f"{line}  {source}" if origin else line.rstrip())


def resolved() -> dict[str, tuple[Any, str]]:
    """By dotted name: the value (secrets as stars) and its origin, one of Settings.reads."""
    from pydantic_settings import (  # noqa: PLC0415  not needed by `snag --help`
        DotEnvSettingsSource,
        EnvSettingsSource,
        TomlConfigSettingsSource,
    )

    from schemas.settings import CONFIG_FILE, DOTENV_FILE, Settings, load_settings  # noqa: PLC0415  likewise

    settings = load_settings()
    sources = {
        "environment": flatten(EnvSettingsSource(Settings)()),
        DOTENV_FILE: flatten(DotEnvSettingsSource(Settings)()),
        CONFIG_FILE: flatten(TomlConfigSettingsSource(Settings)()),
    }
    found: dict[str, tuple[Any, str]] = {}
    for name, value in flatten(settings.model_dump()).items():
        origin = next((s for s, given in sources.items() if _covers(given, name)), "default")
        found[name] = (str(value) if value is not None else "", origin)
    return found


def _covers(given: dict[str, Any], name: str) -> bool:
    return any(name == key or name.startswith(f"{key}.") or key.startswith(f"{name}.") for key in given)


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts and lists as one dict of dotted names; list places count from 0."""
    if isinstance(value, dict) and value:
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list | tuple) and value:
        items = [(str(i), inner) for i, inner in enumerate(value)]
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat |= flatten(inner, f"{prefix}.{key}" if prefix else key)
    return flat
