"""The real clients of other vendors as programs, and the stories that they send.

A program lies in `tests/clients`. It reads an order from standard input, `{"address", "key", "events", "pause_s"}`,
sends the events by its client with the client's usual settings, pausing after each, waits until the client is done
with them, and prints `{"failed": [ids], "ids": {}}`: those that the client itself said it gave up, and by ordered id
the one that the client gave it, where it takes none from outside.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.npm import CLIENTS, installed_packages
from tests.support.stories import sentry_row, sentry_story, snowplow_row, snowplow_story

Sent = dict[str, Any]
"""One event to send: id, visitor, url, and either page (its title) or name and props."""

Row = dict[str, Any]
"""What of a row in ClickHouse is compared: by column name, and `props` by property name."""

RUN_DEADLINE_S: Final = 120


def shop_story(run: str, visits: int) -> list[Sent]:
    """Page, cart, checkout, payment and order of some visitors, by Segment's names; all ids are new ones."""
    found: list[Sent] = []
    for visit in range(visits):
        common = {"visitor": f"{run}-v{visit}", "url": f"https://shop.example/checkout?visit={visit}"}
        steps: list[Sent] = [
            {"page": "Checkout"},
            {"name": "Product Added", "props": {"product_id": "p1", "price": 15.25, "quantity": 2, "currency": "EUR"}},
            {"name": "Checkout Started", "props": {"order_id": f"o{visit}", "value": 30.5, "currency": "EUR"}},
            {"name": "Payment Info Entered", "props": {"checkout_id": f"o{visit}", "payment_method": "card"}},
            {"name": "Order Completed", "props": {"order_id": f"o{visit}", "total": 30.5, "currency": "EUR"}},
        ]
        found += [{"id": str(uuid.uuid4())} | common | step for step in steps]
    return found


_TYPES: Final = {
    "Product Added": ("product_added", "checkout"),
    "Checkout Started": ("checkout_started", "checkout"),
    "Payment Info Entered": ("payment", "checkout"),
    "Order Completed": ("order_completed", "checkout"),
}


def shop_row(sent: Sent) -> Row:
    """The row that an event of `shop_story` has to become."""
    row = {"event_id": sent["id"], "visitor_id": sent["visitor"], "url": sent["url"], "site": "shop"}
    if "page" in sent:
        return row | {"type": "page_view", "kind": "clickstream"}
    type_, kind = _TYPES[sent["name"]]
    props = {name: str(value) for name, value in sent["props"].items()}
    if type_ != "payment":
        props["value"] = "30.5"
    if checkout := props.get("order_id"):
        props["checkout_id"] = checkout
    return row | {"type": type_, "kind": kind, "props": props}


def plain_row(sent: Sent) -> Row:
    """The row of an event of `shop_story` whose properties arrive as they were sent, without Segment's meaning."""
    row = shop_row(sent)
    if "props" in row:
        row["props"] = {name: str(value) for name, value in sent["props"].items()}
    return row


def ga4_row(sent: Sent) -> Row:
    """The row of an event of `shop_story` that was told in GA4's words."""
    row = shop_row(sent)
    if "props" in row:
        row["props"] = {"currency": "EUR", "value": "30.5"}
        if sent["name"] == "Order Completed":
            row["props"] |= {"order_id": sent["props"]["order_id"], "checkout_id": sent["props"]["order_id"]}
    return row


@dataclass(frozen=True)
class Client:
    """One real client. `loses`: faults after which it gives events up without another try, and why.

    `story` makes the events of a run; `row` says what a sent one has to become in ClickHouse; `named` is how an event's
    own id stands in a body, where bodies may name other events too. `timed`: whether it says when an event happened.
    """

    name: str
    program: str
    arguments: tuple[str, ...] = ()
    story: Callable[[str, int], list[Sent]] = shop_story
    row: Callable[[Sent], Row] = shop_row
    loses: dict[str, str] = field(default_factory=dict)
    named: str = "%s"
    timed: bool = True


_SENDS_ONCE: Final = dict.fromkeys(("429", "503", "kill"), "it sends once, whatever the answer")
_SENTRY: Final = '{"event_id":"%s"'  # the envelope's header; breadcrumbs name earlier events

CATALOGUE: Final[tuple[Client, ...]] = (
    Client("segment-analytics-python", "segment_python.py"),
    Client("rudder-sdk-python", "rudder_python.py"),
    Client("posthog", "posthog_python.py", arguments=("v0",)),
    Client("posthog (capture v1)", "posthog_python.py", arguments=("v1",)),
    Client("@segment/analytics-node", "segment_node.mjs"),
    Client("@rudderstack/rudder-sdk-node", "rudder_node.mjs"),
    Client("posthog-node", "posthog_node.mjs"),
    Client("snowplow-tracker", "snowplow_python.py", story=snowplow_story, row=snowplow_row),
    Client("@snowplow/node-tracker", "snowplow_node.mjs", story=snowplow_story, row=snowplow_row),
    Client("sentry-sdk", "sentry_python.py", story=sentry_story, row=sentry_row, loses=_SENDS_ONCE, named=_SENTRY),
    Client("@sentry/node", "sentry_node.mjs", story=sentry_story, row=sentry_row, loses=_SENDS_ONCE, named=_SENTRY),
    Client("cloudevents (structured)", "cloudevents_python.py", arguments=("structured",), row=plain_row),
    Client("cloudevents (binary)", "cloudevents_python.py", arguments=("binary",), row=plain_row),
    Client("GA4 Measurement Protocol", "ga4_python.py", arguments=("protocol",), row=ga4_row, timed=False),
    Client("GA4 tag", "ga4_python.py", arguments=("tag",), row=ga4_row, loses=_SENDS_ONCE, timed=False),
    Client("pixel", "pixel_python.py", row=plain_row, loses=_SENDS_ONCE, timed=False),
)


@dataclass
class Running:
    """A client's program at work."""

    client: Client
    events: list[Sent]
    process: subprocess.Popen[str]

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return self.process.poll() is None

    def finish(self) -> set[str]:
        """Wait until it ends; returns the ids of the events the client said it gave up. `events` know theirs then."""
        try:
            out, err = self.process.communicate(timeout=RUN_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"{self.client.name} does not end:\n{out[-500:]}\n{err[-3000:]}") from None
        assert self.process.returncode == 0, f"{self.client.name} failed:\n{err[-3000:]}"
        report = json.loads(out.splitlines()[-1])
        for event in self.events:
            event["id"] = report["ids"].get(event["id"], event["id"])
        return set(report["failed"])


def start(
    client: Client, address: str, events: Sequence[Sent], *, pause_s: float = 0, key: str = "wk_local"
) -> Running:
    """Start a client's program; it sends `events` to `address`."""
    program = CLIENTS / client.program
    if program.suffix == ".mjs":
        command, folder = ["node", str(_beside_packages(program)), *client.arguments], installed_packages()
        _beside_packages(CLIENTS / "order.mjs")
    else:
        command, folder = [sys.executable, str(program), *client.arguments], CLIENTS
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"address": address, "key": key, "events": list(events), "pause_s": pause_s}))
    process.stdin.close()
    process.stdin = None  # what communicate() would close again
    return Running(client, list(events), process)


def _beside_packages(program: Path) -> Path:
    """A copy of `program` where node finds the packages: it looks above the program, not in the working folder."""
    copy = installed_packages() / program.name
    if not copy.exists() or copy.read_bytes() != program.read_bytes():
        part = copy.with_suffix(f".{os.getpid()}")
        part.write_bytes(program.read_bytes())
        part.replace(copy)
    return copy
