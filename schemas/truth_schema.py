"""JSON Schema of a line of the simulator's truth: `python -m schemas.truth_schema` writes the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.truth import TruthRecord

PATH: Final = Path(__file__).with_name("truth.schema.json")


def document() -> dict[str, Any]:
    """The schema of one line (draft 2020-12)."""
    (reference,), definitions = msgspec.json.schema_components((TruthRecord,), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "truth.schema.json",
        "title": "Truth of simulated traffic",
        **reference,
        "$defs": definitions,
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(document(), indent=2) + "\n")
