"""An independent recomputation of every derived table from raw events: plain full scans, none of the project's rules.

Written from the documented semantics, not from the code it checks. Events are mappings as they lie in Kafka or in
ClickHouse: the fields of `schemas/event.py`, times as ISO text or datetimes (naive ones are UTC).
"""

from __future__ import annotations

from tests.oracle.attempts import attempts
from tests.oracle.cohorts import cohorts, sum_cohorts
from tests.oracle.compare import FINAL_KEYS, diff, latest, tabulate
from tests.oracle.rates import messages, rates, sum_partitions
from tests.oracle.sessions import sessions
from tests.oracle.signals import signals

__all__ = [
    "FINAL_KEYS",
    "attempts",
    "cohorts",
    "diff",
    "latest",
    "messages",
    "rates",
    "sessions",
    "signals",
    "sum_cohorts",
    "sum_partitions",
    "tabulate",
]
