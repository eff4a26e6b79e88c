"""Who made a request: a keyed hash of address and user agent, so that no address leaves the machine."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from snag.accesslog.request import Request

KEY_FILE: Final = "visitor.key"

_KEY_BYTES: Final = 32
_VISITOR_BYTES: Final = 8  # 16 hex digits: among a million visitors a collision has odds of 1 in 37 million


def visitor_key(data_dir: Path) -> bytes:
    """The random key kept in `data_dir`, made on first use: a log imported again finds the same visitors.

    Delete the file and old visitor ids can no longer be tied to anybody. Raises OSError.
    """
    path = data_dir / KEY_FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) != _KEY_BYTES:
            raise OSError(f"{path} is not a key of {_KEY_BYTES} bytes. Delete it to start with a new one.") from None
        return key
    with os.fdopen(handle, "wb") as file:
        key = os.urandom(_KEY_BYTES)
        file.write(key)
    return key


def visitor_id(request: Request, key: bytes) -> str:
    """The log's own visitor id where it has one, else the hash of address and user agent under `key`."""
    if request.has_visitor_id:
        return request.client
    who = f"{request.client}\n{request.user_agent}".encode()
    return hashlib.blake2b(who, digest_size=_VISITOR_BYTES, key=key).hexdigest()
