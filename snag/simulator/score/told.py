"""The truth as `snag simulate --truth` wrote it, read back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from schemas.truth import TruthConfounder, TruthIncident, TruthRun, TruthSession, decode
from snag.errors import SnagError


class TruthError(SnagError):
    """The file is no truth of a run; the text names the line and the fix."""


@dataclass
class Told:
    """One run: its sessions by id (those the data hold in full), incidents and confounders."""

    run: TruthRun
    sessions: dict[str, TruthSession] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    incidents: list[TruthIncident] = field(default_factory=list)
    confounders: list[TruthConfounder] = field(default_factory=list)


def read_truth(path: Path) -> Told:
    """The truth in the file `path`. Raises TruthError and OSError."""
    with path.open("rb") as file:
        return parse_truth(file, str(path))


def parse_truth(lines: Iterable[bytes], origin: str) -> Told:
    """The truth in `lines`; `origin` names them in errors. Raises TruthError."""
    told: Told | None = None
    for number, line in enumerate(lines, start=1):
        try:
            record = decode(line)
        except msgspec.MsgspecError as error:
            raise TruthError(f"{origin}, line {number}: {error}. Write one with: snag simulate --truth FILE") from error
        if isinstance(record, TruthRun):
            told = Told(record)
        elif told is None:
            raise TruthError(f"{origin}: the first line is not the run. Write one with: snag simulate --truth FILE")
        elif isinstance(record, TruthIncident):
            told.incidents.append(record)
        elif isinstance(record, TruthConfounder):
            told.confounders.append(record)
        elif record.cut:
            told.cut.add(record.session_id)
        else:
            told.sessions[record.session_id] = record
    if told is None:
        raise TruthError(f"{origin} is empty. Write one with: snag simulate --truth FILE")
    return told
