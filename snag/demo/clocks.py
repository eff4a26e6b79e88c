"""A demo's funnels: Snag's own with shorter clocks, so that a minute shows what else takes half an hour.

They lie in the stack's folder of funnels while the demo runs; live workers read it again by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

STALL_AFTER_S: Final = 20
"""A step not passed after so long counts as failed for the alerts: the demo's customers take some seconds for each."""

RIPE_AFTER_S: Final = 60

_MARK: Final = "# Put here by `snag demo`, and taken away when it ends.\n"
_CLOCKS: Final = re.compile(r"^(?:stall_after_s|ripe_after_s)\b.*\n", re.M)
_VERSION: Final = re.compile(r"^version\b.*\n", re.M)


@contextmanager
def demo_clocks(folder: Path) -> Iterator[bool]:
    """Have the shipped funnels in `folder` with the demo's clocks; False when the user has such of their own."""
    shipped = {path.name: path.read_text() for path in (Path(str(files("schemas"))) / "funnels").glob("*.toml")}
    mine = [folder / name for name in shipped]
    theirs = [text for path in folder.glob("*.toml") if not (text := path.read_text()).startswith(_MARK)]
    if any(f'name = "{Path(name).stem}"' in text for name in shipped for text in theirs):
        yield False
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in mine:
        path.write_text(_MARK + with_clocks(shipped[path.name]))
    try:
        yield True
    finally:
        for path in mine:
            path.unlink(missing_ok=True)


def with_clocks(text: str) -> str:
    """The funnel in TOML `text` with the demo's clocks; its meaning, and so its version, stays."""
    clocks = f"stall_after_s = {STALL_AFTER_S}\nripe_after_s = {RIPE_AFTER_S}\n"
    return _VERSION.sub(lambda line: line[0] + clocks, _CLOCKS.sub("", text), count=1)
