"""Does a broker serve? One Metadata request over a plain socket, so that a check every second costs next to nothing."""

from __future__ import annotations

import socket
import struct
from typing import Final

_METADATA_KEY: Final = 3
_METADATA_VERSION: Final = 4  # the oldest that Kafka 4 takes (KIP-896), and so the shortest to write by hand
_CLIENT_ID: Final = b"snag-probe"
_MAX_ANSWER_BYTES: Final = 1 << 20


def brokers_online(host: str, port: int, timeout_s: float = 2.0) -> int:
    """How many registered, unfenced brokers the one at host:port knows; 0 while it starts or does not answer.

    Layout: Kafka protocol guide, Metadata request and response version 4, request header 1, response header 0.
    """
    body = struct.pack(">hhih", _METADATA_KEY, _METADATA_VERSION, 1, len(_CLIENT_ID)) + _CLIENT_ID
    body += struct.pack(">i?", 0, False)  # no topics, and create none
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _read(connection, 4))
            if not 12 <= size <= _MAX_ANSWER_BYTES:
                return 0
            answer = _read(connection, size)
    except (OSError, EOFError):
        return 0
    _correlation, _throttle_ms, brokers = struct.unpack_from(">iii", answer)
    return int(brokers)


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
