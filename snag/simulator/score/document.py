"""A score as JSON: the counts, and beside them what follows from them."""

from __future__ import annotations

from typing import Any

import msgspec

from snag.simulator.score.compare import Counted, Recognised, Score


def as_document(score: Score) -> dict[str, Any]:
    """What `snag score --json` prints."""
    document = msgspec.structs.asdict(score)
    for name, value in document.items():
        document[name] = _told(value)
    return document


def _told(value: Any) -> Any:
    if isinstance(value, Recognised):
        return {**msgspec.structs.asdict(value), "precision": value.precision, "recall": value.recall}
    if isinstance(value, Counted):
        return {**msgspec.structs.asdict(value), "error": value.error}
    if isinstance(value, dict):
        return {name: _told(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_told(inner) for inner in value]
    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value
