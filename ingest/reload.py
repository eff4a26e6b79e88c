"""Write keys that change while the collector runs: the configuration files are watched, and read again when written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from schemas.logs import get_logger
from schemas.settings import CONFIG_FILE, DOTENV_FILE, Settings, SettingsError, SiteSettings

_log = get_logger(__name__)

INTERVAL_S: Final = 1.0  # a key that was withdrawn is refused this much later; two stat calls a second cost nothing
WATCHED: Final = (Path(CONFIG_FILE), Path(DOTENV_FILE))

_Stamp = tuple[tuple[int, int, int] | None, ...]


class SitesReloader:
    """Reads the settings again when a file of them changes, and hands the sites on. What is broken changes nothing."""

    def __init__(
        self,
        load: Callable[[], Settings],
        apply: Callable[[Sequence[SiteSettings]], None],
        files: Sequence[Path] = WATCHED,
    ) -> None:
        self._load = load
        self._apply = apply
        self._files = files
        self._stamp = self._look()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.check()

    async def check(self) -> None:
        """Read the settings if a file has changed since the last look."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            settings = await asyncio.to_thread(self._load)
        except SettingsError as error:
            _log.error("the changed configuration cannot be used; the sites stay as they were", reason=str(error))
            return
        self._apply(settings.sites)
        _log.info("sites and write keys were read again; other settings need a restart", sites=len(settings.sites))

    def _look(self) -> _Stamp:
        """What tells one version of the files from another; None for a file that is not there."""
        return tuple(_stamp_of(file) for file in self._files)


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
