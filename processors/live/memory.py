"""Memory that is free again, back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Have the C library return whole free pages (glibc's malloc_trim); nothing where it cannot.

    Blobs and packed visitors come and go by the hundred thousand, and glibc keeps what lies between them: 57,000
    visitors in a restarted worker held 95 to 115 MB without and 75 with it. 3 ms for 175 MB, measured.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
