"""The browser SDK as it is shipped: its files, their sizes and hashes, and the tag that loads it."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Final

import msgspec

MOVING: Final = "s.js"


class ShippedFile(msgspec.Struct, frozen=True):
    """One file: size as it is and compressed with gzip -9, and its Subresource Integrity hash."""

    bytes: int
    gzip_bytes: int
    integrity: str


class Shipped(msgspec.Struct, frozen=True):
    """The build's manifest."""

    version: str
    files: dict[str, ShippedFile]


def shipped() -> Shipped:
    """What the collector serves."""
    return msgspec.json.decode((files("ingest") / "static" / "manifest.json").read_bytes(), type=Shipped)


def script_tag(made: Shipped, collector: str, write_key: str, *, frozen: bool) -> str:
    """The tag for a page. `frozen`: one version for ever, and a browser that runs it only if it is that very file."""
    name = f"s-{made.version}.js" if frozen else MOVING
    address = escape(f"{collector.rstrip('/')}/{name}")
    lock = f' integrity="{made.files[name].integrity}" crossorigin="anonymous"' if frozen else ""
    return f'<script async src="{address}" data-key="{escape(write_key)}"{lock}></script>'
