"""TCP ports of the loopback interface: which are free, and which one to take when the wanted one is not."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on host:port now.

    A port that only waits for old connections to time out counts as free, as it does for the servers themselves.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


class PortClaims:
    """Ports that this process is going to give to its children, told to other supervisors of the same user.

    Between choosing a port and listening on it lie seconds; two stacks that start together would choose the same, and
    the one would take the other's Kafka for its own. A claim is a locked file: the kernel drops it with the process.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir()) / f"snag-ports-{os.getuid()}"
        self._files: dict[int, int] = {}

    def take(self, port: int) -> bool:
        """Claim `port`; False when another process, or this one, has it."""
        if port in self._files:
            return False
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            file = os.open(self._directory / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True  # no place for claims: a stack alone needs none
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._files[port] = file
        return True

    def release(self) -> None:
        """Give all claims back."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()


def choose_port(wanted: int, claims: PortClaims, host: str = LOOPBACK) -> int:
    """`wanted` if it is free and unclaimed, else one that the system chooses; 0 means any. It is claimed then."""
    if wanted and is_free(wanted, host) and claims.take(wanted):
        return wanted
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if claims.take(port):
            return port
