"""The sessions of one visitor as spans of happenings: 30 idle minutes or 24 hours end one, by event time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.events import Happening


@dataclass
class Span:
    """One session's happenings in order. `followed`: a later one of the same id exists, so it cannot be open."""

    session_id: str
    happenings: list[Happening]
    followed: bool

    @property
    def last_received(self) -> int:
        """Unix ms of the newest receipt."""
        return max(h.received for h in self.happenings)


def spans(who: str, happenings: Sequence[Happening], idle_s: float, max_s: float) -> list[Span]:
    """The sessions of one visitor's happenings, by start."""
    idle_ms, max_ms = idle_s * 1000, max_s * 1000
    ids = {h.text("session_id") for h in happenings} - {""}
    cores: list[tuple[str, list[Happening], bool]] = []
    for session_id in ids:
        pieces = _pieces([h for h in happenings if h.text("session_id") == session_id], idle_ms, max_ms)
        cores += [(session_id, piece, n < len(pieces)) for n, piece in enumerate(pieces, 1)]
    cores.sort(key=lambda core: (core[1][0].at, core[0]))
    joined: list[list[Happening]] = [list(piece) for _, piece, _ in cores]
    homeless = []
    for loose in (h for h in happenings if not h.text("session_id")):
        near = [(_distance(loose, piece), n) for n, (_, piece, _) in enumerate(cores)]
        distance, n = min(near, default=(idle_ms + 1, -1))
        if distance <= idle_ms:
            joined[n].append(loose)
        else:
            homeless.append(loose)
    found = [
        Span(session_id, sorted(piece, key=lambda h: (h.at, h.id)), followed)
        for (session_id, _, followed), piece in zip(cores, joined, strict=True)
    ]
    pieces = _pieces(homeless, idle_ms, max_ms)
    found += [Span(_id(f"{who}|{piece[0].at}"), piece, n < len(pieces)) for n, piece in enumerate(pieces, 1)]
    return sorted(found, key=lambda span: span.happenings[0].at)


def _pieces(happenings: Sequence[Happening], idle_ms: float, max_ms: float) -> list[list[Happening]]:
    pieces: list[list[Happening]] = []
    for h in happenings:
        if pieces and h.at - pieces[-1][-1].at <= idle_ms and h.at - pieces[-1][0].at <= max_ms:
            pieces[-1].append(h)
        else:
            pieces.append([h])
    return pieces


def _distance(loose: Happening, piece: Sequence[Happening]) -> int:
    if loose.at < piece[0].at:
        return piece[0].at - loose.at
    return max(0, loose.at - piece[-1].at)


def _id(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
