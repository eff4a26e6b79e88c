"""The headers of an alert record are CloudEvents 1.0 in Kafka's binary mode (binding section 3.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from schemas.cloudevent import alert_headers
from schemas.rows import AlertRow

ALERT = AlertRow(
    fingerprint="00112233aabbccdd",
    seq=3,
    status="firing",
    severity="critical",
    site="shop",
    rule="funnel_step_conversion",
    rule_version=1,
    test="bernoulli_cusum",
    funnel="checkout",
    step=4,
    step_name="payment",
    starts_at=datetime(2026, 11, 23, 14, 5, tzinfo=UTC),
    updated_at=datetime(2026, 11, 23, 14, 35, tzinfo=UTC),
    observed=0.31,
    baseline=0.82,
    statistic=9.4,
    threshold=9.0,
    n=240,
    expected_false_alerts_per_week=0.1,
    summary="",
    description="",
    query="",
)


def test_the_headers() -> None:
    assert alert_headers(ALERT) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"00112233aabbccdd-3-1795444500"),
        ("ce_source", b"/snag/sites/shop"),
        ("ce_type", b"io.snag.alert.firing"),
        ("ce_time", b"2026-11-23T14:35:00.000Z"),
        ("ce_subject", b"funnel_step_conversion/checkout/4"),
        ("content-type", b"application/json"),
    ]


def test_attribute_names_follow_the_spec() -> None:
    names = [name for name, _ in alert_headers(ALERT)]
    assert {"ce_id", "ce_source", "ce_specversion", "ce_type"} <= set(names)  # required by CloudEvents 1.0
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"ce_[a-z0-9]{1,20}", name) for name in names if name != "content-type")


def test_a_site_and_a_zone_that_need_care() -> None:
    local = ALERT.updated_at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    odd = msgspec.structs.replace(ALERT, site="my shop/é", funnel="", step=0, updated_at=local)
    headers = dict(alert_headers(odd))
    assert headers["ce_source"] == b"/snag/sites/my%20shop%2F%C3%A9"  # a URI reference
    assert headers["ce_subject"] == b"funnel_step_conversion"
    assert headers["ce_time"] == b"2026-11-23T14:35:00.000Z"


def test_each_change_has_its_own_id_and_a_repeat_the_same() -> None:
    following = msgspec.structs.replace(ALERT, seq=4, status="resolved")
    reminder = msgspec.structs.replace(ALERT, updated_at=ALERT.updated_at + timedelta(hours=1))
    ids = [dict(alert_headers(alert))["ce_id"] for alert in (ALERT, ALERT, following, reminder)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
