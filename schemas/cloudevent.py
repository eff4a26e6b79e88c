"""CloudEvents 1.0 in Kafka's binary content mode: attributes as `ce_` headers, the data as the record's value.

Source: CloudEvents 1.0 and its Kafka protocol binding, section 3.2.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from schemas.rows import AlertRow
from schemas.topics import JSON

ALERT_TYPE: Final = "io.snag.alert.{status}"
"""One type per status, so that a subscriber can filter without reading the data."""


def alert_headers(alert: AlertRow) -> list[tuple[str, bytes]]:
    """Kafka headers of `alert`; the record's key is its fingerprint, the value its JSON.

    Source and id together are the same for the same change, so a repeat is recognised (CloudEvents 1.0, `id`); a
    reminder of an alert that still fires has an id of its own, and the change's number (`seq`).
    The subject is the series the alert is about: the rule, and the funnel and step number if it has them.
    """
    parts = [alert.rule, *([alert.funnel, str(alert.step)] if alert.funnel else [])]
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": f"{alert.fingerprint}-{alert.seq}-{int(alert.updated_at.timestamp())}",
        "ce_source": f"/snag/sites/{quote(alert.site, safe='')}",
        "ce_type": ALERT_TYPE.format(status=alert.status),
        "ce_time": _rfc3339(alert.updated_at),
        "ce_subject": "/".join(quote(part, safe="") for part in parts),
        "content-type": JSON,
    }
    return [(name, value.encode()) for name, value in attributes.items()]


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
