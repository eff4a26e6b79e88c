"""Funnels through the whole stack: a file taken up while the live worker runs, why people left, and live cohorts."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.running import RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LEAD_FORM = Path(__file__).parent.parent.parent / "docs" / "funnels" / "lead_form.toml"
LAST_HOUR = "from = now('UTC') - INTERVAL 1 HOUR, to = now('UTC') + INTERVAL 1 MINUTE"


def send(stack: RunningStack, *events: dict[str, Any]) -> None:
    stack.snag("send", "-", stdin="\n".join(orjson.dumps(event).decode() for event in events))


def story(visitor: str, *types: str, **fields: Any) -> list[dict[str, Any]]:
    """Events of one visitor, a second apart, the last one now."""
    start = datetime.now(UTC) - timedelta(seconds=len(types))
    made: dict[str, Any] = {"visitor_id": visitor, "url": "https://shop.example/contact"} | fields
    return [
        made | {"type": type_, "ts": (start + timedelta(seconds=n)).isoformat()} for n, type_ in enumerate(types, 1)
    ]


def test_a_funnel_file_is_taken_up_while_the_worker_runs_and_tells_why_people_left(tmp_path: Path) -> None:
    folder = tmp_path / "funnels"
    folder.mkdir()
    with running_stack(tmp_path / "stack", SNAG_FUNNELS_DIR=str(folder), SNAG_LIVE__ABANDON_AFTER_S="5") as stack:
        worker = stack.part("live")["pid"]
        shutil.copy(LEAD_FORM, folder)
        wait_for(lambda: "funnels reloaded" in stack.log("live"), 60, "the worker takes up the file")
        form = {"element": "form#contact"}
        send(stack, *story("ann", "page_view", "form_start", "form_submit", **form))
        send(stack, *story("bob", "page_view", "form_start", "js_error", **form, message="zip is undefined"))
        send(stack, *story("cat", "page_view", "login", **form))
        columns = "name, entered, dropped, ripe, top_error"
        source = f"v_funnel(funnel = 'lead_form', {LAST_HOUR})"
        wait_for(
            lambda: (
                [tuple(row.values()) for row in stack.query(f"SELECT {columns} FROM {source} ORDER BY step")]
                == [
                    ("form_seen", 2, 0, 0, ""),
                    ("form_started", 2, 1, 0, "js: zip is undefined"),
                    ("call_me", 0, 0, 0, ""),
                    ("form_sent", 1, 0, 0, ""),
                ]
            ),
            90,
            "the new funnel's steps, with what bob ran into, and without cat, who is a customer",
        )
        live = "SELECT name, sum(entered) AS n, sum(abandoned) AS left FROM v_funnel_cohorts WHERE funnel = 'lead_form'"
        wait_for(
            lambda: (
                stack.query(f"{live} GROUP BY name ORDER BY min(step)")
                == [
                    {"name": "form_seen", "n": 2, "left": 0},
                    {"name": "form_started", "n": 2, "left": 1},
                    {"name": "form_sent", "n": 1, "left": 0},
                ]
            ),
            90,
            "live cohorts say the same",
        )
        shown = stack.snag("funnel", "show", "lead_form").stdout
        assert "why: js: zip is undefined (1)" in shown and "no attempt is old enough" in shown
        (folder / LEAD_FORM.name).write_text("name = 3")
        wait_for(lambda: "funnel file refused" in stack.log("live"), 60, "a broken file is told")
        assert stack.part("live")["pid"] == worker, "the same process all the time"
