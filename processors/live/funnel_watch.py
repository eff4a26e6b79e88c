"""Funnel files on disk: read again when they change, while the worker runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from schemas.funnel import Funnel, FunnelError, load_funnels
from schemas.logs import get_logger

log = get_logger(__name__)

PERIOD_S: Final = 5.0
"""How often the folder is looked at: soon enough for a person who waits, nothing for the disk."""

_Seen = dict[str, tuple[int, int]]


class FunnelWatch:
    """Watches the folder of a site's own funnels. A file that cannot be used is told once, and what holds goes on."""

    def __init__(self, directory: Path | None, funnels: tuple[Funnel, ...]) -> None:
        """`funnels`: those that hold now."""
        self._directory, self._funnels = directory, funnels
        self._seen = self._look()

    def changed(self) -> tuple[Funnel, ...] | None:
        """The funnels that hold from now on; None when nothing has changed. Raises FunnelError, once per change."""
        seen = self._look()
        if seen == self._seen:
            return None
        self._seen = seen
        funnels = load_funnels(self._directory)
        if funnels == self._funnels:
            return None
        for name in _changed_without_version(self._funnels, funnels):
            log.warning("funnel changed under the same version: raise it, or old and new rows mix", funnel=name)
        self._funnels = funnels
        return funnels

    def _look(self) -> _Seen:
        if self._directory is None:
            return {}
        found: _Seen = {}
        for path in self._directory.glob("*.toml"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # gone between the two calls
                continue
            found[path.name] = (stat.st_mtime_ns, stat.st_size)
        return found


def _changed_without_version(before: tuple[Funnel, ...], after: tuple[Funnel, ...]) -> list[str]:
    known = {(funnel.name, funnel.version): funnel for funnel in before}
    return [f.name for f in after if known.get((f.name, f.version), f) != f]


__all__ = ["PERIOD_S", "FunnelError", "FunnelWatch"]
