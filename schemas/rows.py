"""Rows of the derived ClickHouse tables, as the live workers emit them: JSON lines whose keys are the columns.

A row is a full snapshot; its `version` rises with the facts in it; `deleted` = 1 retracts a row that no longer
holds. ReplacingMergeTree(version, deleted) keeps the newest, so `FINAL` is the truth.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

SessionState = Literal["open", "closed"]
AttemptState = Literal["open", "stalled", "abandoned", "recovered", "converted", "excluded"]
CheckoutOutcome = Literal["", "open", "abandoned", "recovered", "converted"]
AlertStatus = Literal["firing", "resolved"]


class SessionRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One session of one visitor: 30 minutes idle or 24 hours end it, by event time."""

    site: str
    visitor_id: str
    session_id: str
    started_at: datetime
    version: int
    deleted: int = 0
    ended_at: datetime | None = None
    state: SessionState = "open"
    events: int = 0
    page_views: int = 0
    clicks: int = 0
    errors: int = 0
    checkout_events: int = 0
    orders: int = 0
    value: float = 0.0
    entry_page: str = ""
    exit_page: str = ""
    scroll_depth: float = 0.0
    time_on_page_s: float = 0.0
    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    click_id: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    release: str = ""
    user_id: str = ""
    is_bot: bool = False
    engaged: bool = False
    bounced: bool = False
    friction_score: float = 0.0
    friction_points: dict[str, float] = {}
    last_step_score: float = 0.0
    score_version: int = 0
    friction: dict[str, int] = {}
    errors_by_class: dict[str, int] = {}
    checkout: CheckoutOutcome = ""
    checkout_step: str = ""
    checkout_value: float = 0.0
    checkout_currency: str = ""


class FunnelAttemptRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One attempt of one visitor at a funnel.

    `step_times`, `step_friction` and `step_errors` run parallel to `steps`: null where a step was not reached; the last
    two are empty when no step saw anything. `step_reached` is the number of the step where the attempt stands;
    `friction`, `errors`, `error_counts` and `error_messages` (by fingerprint) are of that step. `stalled_after_s` is
    told while it is stalled, and only then: what was learnt must not mark a final row.
    """

    site: str
    funnel: str
    attempt_id: str
    visitor_id: str
    started_at: datetime
    version: int
    deleted: int = 0
    funnel_version: int = 1
    session_id: str = ""
    state: AttemptState = "open"
    steps: list[str] = []
    step_times: list[datetime | None] = []
    step_reached: int = 0
    step_name: str = ""
    last_step_at: datetime | None = None
    last_seen_at: datetime | None = None
    seconds_on_step: float = 0.0
    stalled_after_s: float = 0.0
    ripe: bool = False
    excluded_by: str = ""
    value: float = 0.0
    currency: str = ""
    breakdown: dict[str, str] = {}
    friction: dict[str, int] = {}
    errors: dict[str, int] = {}
    error_counts: dict[str, int] = {}
    error_messages: dict[str, str] = {}
    step_friction: list[dict[str, int]] = []
    step_errors: list[dict[str, int]] = []
    first_cause: str = ""
    first_cause_at: datetime | None = None
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    release: str = ""
    is_bot: bool = False


class FrictionSignalRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One friction signal with the rule that found it and the evidence for it (a JSON object as text)."""

    site: str
    signal: str
    signal_id: str
    ts: datetime
    visitor_id: str
    version: int
    deleted: int = 0
    rule_version: int = 1
    session_id: str = ""
    path: str = ""
    page: str = ""
    element: str = ""
    evidence: str = ""
    is_bot: bool = False


class ErrorRateRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Errors of one kind in one minute of one source partition; views sum over partitions.

    A row with empty `class_` and `fingerprint` is the denominator of its cell: page views and sessions, no errors.
    """

    site: str
    minute: datetime
    source_partition: int
    version: int
    class_: str = msgspec.field(default="", name="class")
    fingerprint: str = ""
    message: str = ""
    page: str = ""
    release: str = ""
    browser: str = ""
    events: int = 0
    sessions: int = 0
    visitors: int = 0
    page_views: int = 0
    requests: int = 0


class FunnelCohortRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Attempts that entered a funnel's step in one minute, of one source partition; views sum over partitions.

    entered = passed + stalled + abandoned + open. `ripe`: old enough that they count in rates. `version` is the receipt
    time (Unix ms) up to which the partition had seen everything.
    """

    site: str
    funnel: str
    funnel_version: int
    minute: datetime
    step: int
    source_partition: int
    version: int
    name: str = ""
    entered: int = 0
    passed: int = 0
    stalled: int = 0
    abandoned: int = 0
    open: int = 0
    value: float = 0.0
    value_lost: float = 0.0
    ripe: bool = False


class StepCount(msgspec.Struct, kw_only=True):
    """Attempts that entered a funnel step in a minute, and how many had passed it before the step's ripening time."""

    funnel: str
    step: int
    name: str
    entered: int
    passed: int


class MinuteMetrics(msgspec.Struct, kw_only=True):
    """What one source partition counts for a site and a minute (by event time): a snapshot, the newest version wins.

    `frontier` is the receipt time up to which the partition has seen everything: a minute is ripe once every reporting
    partition's frontier lies `ripe_after_s` beyond its end. Bots are left out.
    """

    site: str
    source_partition: int
    minute: datetime
    frontier: datetime
    version: int
    ripe_after_s: float
    steps: list[StepCount] = []
    sessions: int = 0
    error_sessions: int = 0


class RejectedRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was refused, why, and its bytes (cut at a bound), so that it can be mended and sent again."""

    rejected_id: str
    received_at: datetime
    site: str = ""
    stage: Literal["ingest", "writer"] = "ingest"
    index: int = 0
    event_id: str = ""
    code: str = ""
    field: str = ""
    message: str = ""
    raw: str = ""


class ErasureRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A visitor or a user of a site who is to be forgotten; one of the two ids is set."""

    site: str
    requested_at: datetime
    visitor_id: str = ""
    user_id: str = ""


class AlertRow(msgspec.Struct, kw_only=True):
    """One change of an alert's state: the data of the CloudEvents record and a row in ClickHouse.

    `starts_at`: when what it tells of began; `fired_at`: when that was decided; `updated_at`: when this change was.
    """

    fingerprint: str
    seq: int
    status: AlertStatus
    severity: Literal["critical", "warning", "info"]
    site: str
    rule: str
    rule_version: int
    test: str
    funnel: str = ""
    step: int = 0
    step_name: str = ""
    starts_at: datetime
    ends_at: datetime | None = None
    fired_at: datetime | None = None
    updated_at: datetime
    observed: float
    baseline: float
    statistic: float
    threshold: float
    n: int
    expected_false_alerts_per_week: float
    summary: str
    description: str
    query: str
