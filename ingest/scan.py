"""Taking an array apart by counting brackets, where a parser gives up on the whole because of one element."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_MAX_TOKENS: Final = 400_000  # about 100 ms; a body of honest events within the default limits has fewer

# A string that does not end is one token up to the end, else each quote inside it would be tried anew. Possessive: no
# backtracking on hostile input.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{]++|[\]}]++|,', re.DOTALL)


def scan_array(text: bytes, *, in_object: bool = False) -> Sequence[bytes] | None:
    """The bytes of each element of the JSON array that `text` starts with, whatever stands between its commas.

    None when brackets do not balance, when there is more than can be scanned in a bounded time, or when something
    follows the array other than, if it stands `in_object`, the rest of that object.
    """
    pieces: list[bytes] = []
    depth, start = 0, 1
    for count, token in enumerate(_TOKEN.finditer(text)):
        if count == _MAX_TOKENS:
            return None
        mark = text[token.start()]
        if mark in b"[{":
            depth += token.end() - token.start()
        elif mark in b"]}":
            end = token.start() + depth - 1  # where the array's own bracket is, if this run reaches it
            depth -= token.end() - token.start()
            if depth <= 0:
                pieces.append(text[start:end].strip())
                rest = text[end + 1 :].strip()
                return pieces if (rest[-1:] == b"}" if in_object else not rest) else None
        elif mark == ord(",") and depth == 1:
            pieces.append(text[start : token.start()].strip())
            start = token.end()
    return None
