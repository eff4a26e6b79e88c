"""The probe: one event posted to the collector and read back from ClickHouse. Only then is the stack ready."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Final

from deploy.local.parts import Layout
from schemas.settings import Settings

_TIMEOUT_S: Final = 5.0
_INTERVAL_S: Final = 0.1

PROBE_TYPE: Final = "snag_probe"


class ProbeError(Exception):
    """The probe did not come back; the text says where it got stuck."""


def send_probe(settings: Settings, layout: Layout, deadline_s: float) -> None:
    """Post an event (flagged as a bot, so that it counts nowhere) and wait for its row. Raises ProbeError."""
    deadline = time.monotonic() + deadline_s
    event_id = uuid.uuid4().hex
    event = {"event_id": event_id, "type": PROBE_TYPE, "kind": "clickstream", "visitor_id": PROBE_TYPE, "is_bot": True}
    key = settings.sites[0].write_keys[0].get_secret_value()
    request = urllib.request.Request(  # noqa: S310  our own loopback address
        f"{layout.collector}/v1/events", data=json.dumps(event).encode(), headers={"X-Write-Key": key}
    )
    while not _posted(request):
        if time.monotonic() > deadline:
            raise ProbeError("The collector does not take the probe event. Its log says why: snag logs collector")
        time.sleep(_INTERVAL_S)
    query = f"SELECT count() FROM {settings.clickhouse.database}.clickstream WHERE event_id = '{event_id}'"  # noqa: S608  our own id
    while _ask(settings, layout, query) != "1":
        if time.monotonic() > deadline:
            raise ProbeError(
                "The probe event was taken and did not reach ClickHouse. Its log says why: snag logs writer"
            )
        time.sleep(_INTERVAL_S)


def _posted(request: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  our own loopback address
            return bool(json.load(answer)["accepted"] == 1)
    except (OSError, urllib.error.URLError):
        return False


def _ask(settings: Settings, layout: Layout, query: str) -> str:
    clickhouse = settings.clickhouse
    token = base64.b64encode(f"{clickhouse.user}:{clickhouse.password.get_secret_value()}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310  our own loopback address
        f"{layout.clickhouse}/?{urllib.parse.urlencode({'query': query})}", headers={"Authorization": f"Basic {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  our own loopback address
            return str(answer.read().decode().strip())
    except (OSError, urllib.error.URLError):
        return ""
