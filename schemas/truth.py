"""What was planted in simulated traffic: the NDJSON that `snag simulate --truth` writes and `snag score` reads.

One record a line, `record` says which: first the run, then the sessions, then the incidents and confounders with what
they came to. Money is what was in the cart, in its currency. A stage is where a visitor ended: "" (first page only),
"browse", a funnel step of the same name, or "ordered".
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

STAGES: Final = ("browse", "product_added", "checkout_started", "shipping", "payment", "ordered")


class TruthRun(msgspec.Struct, kw_only=True, tag_field="record", tag="run"):
    """The run. `cut_at`: events that would have arrived later were not sent."""

    seed: int
    site: str
    starts_at: datetime
    cut_at: datetime | None = None
    version: int = 1


class TruthSession(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="record", tag="session"):
    """One session: as it went, and (`stage_without`) as it would have gone without any incident.

    Times are by a right clock; the visitor's own showed `clock_off_ms` more. `met`: incidents it met; `lost_to`: the
    one that stopped it. `confounders`: signs it showed that are no causes. `friction`: planted occurrences by Snag's
    name of the signal; chance can add more. `kept_cart`: it went on with the cart of an earlier session. `cut`: the
    data end before it does.
    """

    session_id: str
    visitor_id: str
    starts_at: datetime
    ends_at: datetime
    clock_off_ms: int = 0
    is_bot: bool = False
    stage: str = ""
    stage_without: str = ""
    value: float = 0.0
    met: list[str] = []
    lost_to: str = ""
    confounders: list[str] = []
    friction: dict[str, int] = {}
    kept_cart: bool = False
    cut: bool = False


class TruthIncident(msgspec.Struct, kw_only=True, tag_field="record", tag="incident"):
    """One incident and its cost. `step`: "" for every step. `signals`, `error_message`: how it shows in the data.

    `lost_orders` would have been made in the sessions it stopped; `recovered_orders` of them were made in a later one.
    """

    id: str
    kind: str
    step: str
    starts_at: datetime
    ends_at: datetime
    segment: dict[str, str]
    share: float
    conversion: float
    signals: list[str]
    error_message: str
    met_sessions: int
    lost_orders: int
    lost_value: float
    recovered_orders: int


class TruthConfounder(msgspec.Struct, kw_only=True, tag_field="record", tag="confounder"):
    """A sign that is no cause. `intent`: how much more or less likely those who show it are to go on, sign or not."""

    id: str
    kind: str
    step: str
    segment: dict[str, str]
    intent: float
    signals: list[str]
    shown_sessions: int


TruthRecord = TruthRun | TruthSession | TruthIncident | TruthConfounder

encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(TruthRecord).decode
