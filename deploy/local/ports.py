"""TCP ports of the loopback interface: which are free, and which one to take when the wanted one is not."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
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


def free_port(host: str = LOOPBACK, *, avoid: Collection[int] = ()) -> int:
    """A port that is free now, chosen by the system, and none of `avoid`."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if port not in avoid:
            return port


def choose_port(wanted: int, host: str = LOOPBACK, *, avoid: Collection[int] = ()) -> int:
    """`wanted` if it is free and not in `avoid`, else a free one; 0 means any."""
    if wanted and wanted not in avoid and is_free(wanted, host):
        return wanted
    return free_port(host, avoid=avoid)
