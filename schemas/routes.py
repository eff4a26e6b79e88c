"""The collector's routes that clients speak to: one table for the code, the OpenAPI document and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

RouteName = Literal[
    "events",
    "sdk_moving",
    "sdk_frozen",
    "segment",
]

Method = Literal["GET", "POST"]


@dataclass(frozen=True)
class Route:
    """One wire format, or one side request of a client.

    `paths`: where it is served unless the setting `ingest.paths` says otherwise. A part in braces matches any one
    segment. A trailing slash makes no difference. `body`: what a POST carries, in a few words.
    """

    summary: str
    paths: tuple[str, ...]
    methods: tuple[Method, ...] = ("POST",)
    body: str = ""


ROUTES: Final[dict[RouteName, Route]] = {
    "events": Route(
        "Send events", ("/v1/events", "/s"), body="One event, an array of events, a batch, or lines of events."
    ),
    "sdk_moving": Route("The browser SDK's newest file", ("/s.js",), ("GET",)),
    "sdk_frozen": Route("A file of one version of the browser SDK, which never changes", ("/s-{rest}",), ("GET",)),
    "segment": Route(
        "Segment's HTTP API, for its SDKs and RudderStack's",
        (
            *(f"/v1/{call}" for call in ("batch", "track", "page", "screen", "identify", "group", "alias", *"btpsiga")),
            "/beacon/v1/batch",
        ),
        body="A Segment message, or {batch: [messages], sentAt, writeKey}.",
    ),
}
"""Route by name; the name is its label in metrics."""
