"""The demo on a running stack: a payment that breaks is in the live funnel, in the signals and a firing alert."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tests.support.running import running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DEADLINE_S = 300
WITHIN_S = 120
REFUSED = "SELECT uniqExact(session_id) AS n FROM friction_signals FINAL WHERE signal = 'payment_failed_soft'"


def test_a_broken_payment_shows_within_two_minutes(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        stack.snag("demo", "--detach", "--port", "0")
        try:
            assert orjson.loads(stack.snag("demo", "status", "--json").stdout)["ready"]
            before = stack.query(REFUSED)[0]["n"]
            broken_s = time.time()
            stack.snag("demo", "break", "payment")
            since = f"{datetime.fromtimestamp(broken_s, UTC):%F %T}"
            alert = (
                "SELECT toUnixTimestamp(max(updated_at)) AS at FROM alerts FINAL "
                f"WHERE funnel = 'checkout' AND step_name = 'payment' AND status = 'firing' AND updated_at > '{since}'"
            )
            fired_s = wait_for(lambda: stack.query(alert)[0]["at"], DEADLINE_S, "the alert fires")
            assert fired_s - broken_s <= WITHIN_S  # the moment the alert stands for, not that of a busy machine
            assert stack.query(REFUSED)[0]["n"] >= before + 20
            steps = (
                "SELECT sum(entered) AS entered, sum(passed) AS passed FROM v_funnel_cohorts "
                f"WHERE funnel = 'checkout' AND name = 'payment' AND minute > '{since}'"
            )
            wait_for(lambda: stack.query(steps)[0]["entered"] > 0, DEADLINE_S, "payments since are in the live funnel")
            assert stack.query(steps)[0]["passed"] == 0
            assert "nothing is broken" in stack.snag("demo", "repair", "--all").stdout
        finally:
            stack.snag("demo", "stop")
