"""A visitor is forgotten in the whole running stack: what is stored, what is derived again, what comes late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.running import RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DEADLINE_S = 90
TABLES = ("clickstream", "errors", "checkouts", "sessions", "funnel_attempts", "friction_signals")
STORY = ("page_view", "product_added", "checkout_started", "js_error", "click", "click", "click", "click")


def shop(stack: RunningStack, visitor: str, *, part: int = 0, user: str = "") -> None:
    events: list[dict[str, Any]] = [
        {
            "event_id": f"{visitor}-{part}-{number}",
            "type": type_,
            "visitor_id": visitor,
            "session_id": f"s-{visitor}",
            "user_id": user,
            "url": "https://shop.example/cart",
            "element": "#pay",
            "x": 10,
            "y": 10,
        }
        for number, type_ in enumerate(STORY)
    ]
    refused = {"type": "click", "visitor_id": visitor, "ts": "nonsense"}
    lines = b"\n".join(orjson.dumps(event) for event in [*events, refused])
    assert stack.snag("send", "-", stdin=lines.decode(), check=False).returncode == 1  # one was refused, as meant


def rows_of(stack: RunningStack, visitor: str) -> dict[str, int]:
    query = " UNION ALL ".join(
        f"SELECT '{table}' AS name, count() AS n FROM {table} FINAL WHERE visitor_id = '{visitor}'" for table in TABLES
    )
    refused = f"SELECT 'rejected' AS name, count() AS n FROM rejected FINAL WHERE position(raw, '{visitor}') > 0"
    return {row["name"]: int(row["n"]) for row in stack.query(f"{query} UNION ALL {refused}")}


def test_a_visitor_is_forgotten_everywhere_and_for_good(tmp_path: Path) -> None:
    settings = {"SNAG_WRITER__ERASE_INTERVAL_S": "1", "SNAG_LIVE__EMIT_INTERVAL_S": "1"}
    with running_stack(tmp_path, **settings) as stack:
        for visitor, user in (("ann", ""), ("bob", ""), ("phone", "carol"), ("laptop", "carol")):
            shop(stack, visitor, user=user)
        everybody = ("ann", "bob", "phone", "laptop")
        wait_for(
            lambda: all(min(rows_of(stack, visitor).values()) > 0 for visitor in everybody),
            DEADLINE_S,
            "everybody is in every table",
        )

        assert "on the erase list" in stack.snag("forget", "ann").stderr
        stack.snag("forget", "carol", "--user")
        for visitor in ("ann", "phone", "laptop"):
            wait_for(lambda v=visitor: not any(rows_of(stack, v).values()), DEADLINE_S, f"{visitor} has vanished")

        # Late events: the live worker still knows the visitor and says a fuller session, which has to go as well.
        shop(stack, "ann", part=1)
        shop(stack, "bob", part=1)
        wait_for(
            lambda: rows_of(stack, "bob")["clickstream"] == 2 * STORY.count("click") + 2, DEADLINE_S, "bob's are in"
        )
        session = "SELECT events FROM sessions FINAL WHERE visitor_id = 'bob'"
        wait_for(lambda: stack.query(session) == [{"events": 2 * len(STORY)}], DEADLINE_S, "bob's session is derived")
        wait_for(lambda: not any(rows_of(stack, "ann").values()), DEADLINE_S, "ann has vanished again")
        log = stack.log("writer")
        assert log.count('"erased"') >= 2
