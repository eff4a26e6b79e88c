"""The table of everything the collector takes events from; `schemas.routes` says where each is served."""

from __future__ import annotations

from typing import Final

from ingest.adapters.adapter import Served
from ingest.adapters.native import NATIVE

SERVED: Final[tuple[Served, ...]] = (NATIVE,)
