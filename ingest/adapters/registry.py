"""The table of everything the collector takes events from; `schemas.routes` says where each is served."""

from __future__ import annotations

from typing import Final

from ingest.adapters.adapter import Served
from ingest.adapters.native import NATIVE
from ingest.adapters.sdk_files import SDK_FILES
from ingest.adapters.segment import SEGMENT

SERVED: Final[tuple[Served, ...]] = (
    NATIVE,
    *SDK_FILES,
    SEGMENT,
)
