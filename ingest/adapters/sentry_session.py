"""Sentry's session updates, made session health: one event an update, so that the last one of a `sid` is the result.

They carry no session or visitor of ours: Sentry's session is a page load or a server's request, and counting it as a
visit would double the site's sessions. Source: develop.sentry.dev/sdk/telemetry/sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingest.adapters.bodies import moment_of
from ingest.adapters.fields import cut_id, event, part, text
from ingest.adapters.values import array, present
from ingest.decode import Item

_UPDATE: Final = ("sid", "status", "errors", "duration", "started", "init", "seq")
_COUNTS: Final = ("exited", "errored", "crashed", "abnormal", "unhandled")


def session_of(data: Mapping[str, Any]) -> Item:
    """The event of a `session` item; its `status` is ok, exited, crashed, abnormal or unhandled.

    Its id is made of what it says, so that an update that is sent twice (the browser SDK does) counts once.
    """
    said = (data.get("sid"), data.get("seq"), data.get("timestamp"), data.get("status"), data.get("errors"))
    return _health(
        {name: data.get(name) for name in _UPDATE} | {"device_id": data.get("did")},
        part(data, "attrs"),
        event_id=cut_id("-".join(found for value in said if (found := text(value)) is not None)),
        ts=moment_of(data.get("timestamp"), data.get("started")),
    )


def aggregates_of(data: Mapping[str, Any]) -> list[Item]:
    """The events of a `sessions` item, one for each bucket: how many sessions that began at `started` ended how."""
    attributes = part(data, "attrs")
    buckets = [part(bucket) for bucket in array(data.get("aggregates"))]
    return [
        _health(
            {name: bucket.get(name) for name in ("started", *_COUNTS)} | {"device_id": bucket.get("did")},
            attributes,
            ts=moment_of(bucket.get("started")),
        )
        for bucket in buckets
    ]


def _health(props: dict[str, Any], attributes: Mapping[str, Any], **fields: Any) -> Item:
    return event(
        "session_health",
        present(props | {"environment": cut_id(attributes.get("environment"))}),
        release=text(attributes.get("release")),
        user_agent=text(attributes.get("user_agent")),
        **fields,
    )
