"""How findings are replaced in a text: in time that grows with its length only, and as many as a request is worth.

Patterns are RE2's, searched in one byte a character, so that places in the bytes are places in the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import re2

MASKED: Final = "[masked]"

MAX_EFFORT: Final = 600_000
"""What may be spent on the events of one request, and on what it refuses: 0.3 s of the event loop, whatever they hold.
The largest batch, 2500 events, has 240 for each: for 30 properties, say, and a secret in each of six texts."""

A_FINDING: Final = 10
"""What a finding takes, 3 to 6 us; a member of the properties takes 1."""

SPACE: Final = r"\s\x0b"  # within a class: RE2's own lacks the vertical tab


class ExhaustedError(Exception):
    """There is more to look at than one request may ask for: what is left is to be masked as a whole."""


class Effort:
    """What is left of MAX_EFFORT."""

    __slots__ = ("left",)

    def __init__(self, left: int = MAX_EFFORT) -> None:
        self.left = left

    def take(self, units: int = A_FINDING) -> None:
        """Spend `units`. Raises ExhaustedError when that many are not left, and from then on."""
        self.left -= units
        if self.left < 0:
            raise ExhaustedError


def compiled(pattern: str) -> Any:
    """RE2's `pattern` for `bytes_of` a text."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode(), options)


def bytes_of(text: str) -> bytes:
    """One byte a character; those that no pattern names are question marks."""
    return text.encode("latin-1", "replace")


def replacing(pattern: str, *parts: int | str) -> Callable[[str, Effort], str]:
    """What puts `parts` in place of each finding of `pattern`: texts, and groups of the finding by number."""
    finditer = compiled(pattern).finditer
    units = A_FINDING * max(1, len(parts) // 2)  # each group that is put back has to be found in the finding

    def replace(text: str, effort: Effort) -> str:
        done = 0
        pieces: list[str] = []
        for found in finditer(bytes_of(text)):
            effort.take(units)
            start, end = found.span()
            pieces.append(text[done:start])
            for part in parts:
                pieces.append(part if isinstance(part, str) else text[slice(*found.span(part))])
            done = end
        return "".join(pieces) + text[done:] if pieces else text

    return replace
