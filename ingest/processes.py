"""Several collectors on one port: one process a core, each an ordinary collector with its own share of connections."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from types import FrameType
from typing import Final

from prometheus_client import multiprocess

from ingest.geoip import country_lookup
from ingest.handshake import tls_context
from ingest.server import bound_socket
from schemas.logs import get_logger
from schemas.metrics import SHARED_DIR_VARIABLE
from schemas.settings import Settings

_log = get_logger(__name__)

_RESTART_PAUSE_S: Final = 1.0  # a collector that ends at its start must not be started in a loop
_PR_SET_PDEATHSIG: Final = 1


class Processes:
    """Starts `processes` collectors, starts again those that die, and stops all on SIGTERM or SIGINT."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._stopping = threading.Event()

    def run(self) -> int:
        """Serve until told to stop. Returns 0 when every collector ended cleanly.

        Raises TlsError or GeoIpError when a file that the settings name cannot be used: no collector could start.
        """
        tls_context(self._settings.ingest)
        country_lookup(self._settings.privacy.geoip)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        held: socket.socket = bound_socket(
            self._settings.ingest.model_copy(update={"reuse_port": True})
        )  # keeps the port while a collector starts again
        with held, tempfile.TemporaryDirectory(prefix="snag-metrics-") as directory:
            env = {
                **os.environ,
                SHARED_DIR_VARIABLE: directory,
                "SNAG_INGEST__PROCESSES": "1",
                "SNAG_INGEST__REUSE_PORT": "true",
                "SNAG_INGEST__PORT": str(held.getsockname()[1]),
            }
            for _ in range(self._settings.ingest.processes):
                self._start(env)
            failed = 0
            while self._running:
                pid, status = os.wait()
                code = os.waitstatus_to_exitcode(status)
                self._running.pop(pid, None)
                multiprocess.mark_process_dead(pid, directory)  # type: ignore[no-untyped-call]  # it ships no types
                if self._stopping.is_set():
                    # One that is told to stop before it listens to signals ends by the signal: it held nothing yet.
                    failed = failed or (0 if code == -signal.SIGTERM else code)
                else:
                    _log.error("a collector ended and is started again", pid=pid, code=code)
                    time.sleep(_RESTART_PAUSE_S)
                    self._start(env)
            return failed

    def _start(self, env: dict[str, str]) -> None:
        if not self._stopping.is_set():
            child = subprocess.Popen([sys.executable, "-m", "ingest"], env=env, preexec_fn=_die_with_parent)  # noqa: PLW1509  no threads here
            self._running[child.pid] = child

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        for child in self._running.values():
            child.send_signal(signal.SIGTERM)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
