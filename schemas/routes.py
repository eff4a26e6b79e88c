"""The collector's routes that clients speak to: one table for the code, the OpenAPI document and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

RouteName = Literal[
    "events",
    "sdk_moving",
    "sdk_frozen",
    "segment",
    "posthog",
    "posthog_v1",
    "posthog_config",
    "posthog_script",
    "posthog_flags",
    "segment_settings",
    "rudder_config",
    "snowplow",
    "snowplow_pixel",
    "sentry",
    "sentry_store",
    "reports",
    "vitals",
    "ga4",
    "ga4_debug",
    "ga4_tag",
    "pixel",
    "cloudevents",
    "forget",
]

Method = Literal["GET", "POST"]


@dataclass(frozen=True)
class Route:
    """One wire format, or one side request of a client.

    `paths`: where it is served unless the setting `ingest.paths` says otherwise. A part in braces matches any one
    segment. A trailing slash makes no difference. `body`: what a POST carries, in a few words. `done`: the status of an
    answer to a request that went well.
    """

    summary: str
    paths: tuple[str, ...]
    methods: tuple[Method, ...] = ("POST",)
    body: str = ""
    done: int = 200


ROUTES: Final[dict[RouteName, Route]] = {
    "events": Route(
        "Send events", ("/v1/events", "/s"), body="One event, an array of events, a batch, or lines of events."
    ),
    "sdk_moving": Route("The browser SDK's newest file", ("/s.js",), ("GET",)),
    "sdk_frozen": Route("A file of one version of the browser SDK, which never changes", ("/s-{rest}",), ("GET",)),
    "segment": Route(
        "Segment's HTTP API, for its SDKs and RudderStack's",
        (
            *(
                f"/v1/{call}"
                for call in ("batch", "import", "track", "page", "screen", "identify", "group", "alias", *"btpsiga")
            ),
            "/beacon/v1/batch",
        ),
        body="A Segment message, or {batch: [messages], sentAt, writeKey}.",
    ),
    "posthog": Route(
        "PostHog's capture API, version 0",
        ("/batch", "/capture", "/e", "/i/v0/e"),
        ("GET", "POST"),
        body="An event, an array of events, or {api_key, batch: [events], sent_at}.",
    ),
    "posthog_v1": Route(
        "PostHog's capture API, version 1",
        ("/i/v1/analytics/events",),
        body="{created_at, batch: [events]}; answered by a result for each event.",
    ),
    "posthog_config": Route("Settings that posthog-js loads", ("/array/{key}/config",), ("GET",)),
    "posthog_script": Route("The same as a script", ("/array/{key}/config.js",), ("GET",)),
    "posthog_flags": Route(
        "Feature flags, of which there are none",
        ("/flags", "/decide"),
        ("GET", "POST"),
        body="PostHog's flags request.",
    ),
    "segment_settings": Route(
        "Settings that Segment's browser library loads", ("/v1/projects/{key}/settings",), ("GET",)
    ),
    "rudder_config": Route("Settings that RudderStack's browser library loads", ("/sourceConfig",), ("GET",)),
    "snowplow": Route(
        "Snowplow's trackers, tracker protocol 2",
        ("/com.snowplowanalytics.snowplow/tp2", "/{domain}.{vendor}/{version}"),
        body="A self-describing payload_data; `aid` is the write key.",
    ),
    "snowplow_pixel": Route("Snowplow's trackers that send by GET", ("/i", "/ice.png"), methods=("GET",)),
    "sentry": Route(
        "Sentry's SDKs", ("/api/{project}/envelope",), body="An envelope; its public key is the write key."
    ),
    "sentry_store": Route("Sentry's older SDKs", ("/api/{project}/store",), body="One Sentry event."),
    "reports": Route(
        "What browsers report by themselves: Reporting API, NEL, CSP",
        ("/v1/reports", "/api/{project}/security", "/api/{project}/csp-report", "/api/{project}/nel"),
        body="An array of reports, or a legacy CSP report.",
    ),
    "vitals": Route(
        "Metrics of the web-vitals library", ("/v1/vitals",), body="One metric object, or an array of them."
    ),
    "ga4": Route(
        "Google Analytics 4's Measurement Protocol", ("/mp/collect",), body="{client_id, events: [..]}.", done=204
    ),
    "ga4_debug": Route(
        "Google Analytics 4's validation server", ("/debug/mp/collect",), body="What /mp/collect takes; it is not kept."
    ),
    "ga4_tag": Route(
        "Google Analytics 4's tag in a page",
        ("/g/collect",),
        ("GET", "POST"),
        body="One event a line; the query holds what they share.",
        done=204,
    ),
    "pixel": Route("An image for pages without scripts", ("/p.gif",), methods=("GET",)),
    "cloudevents": Route(
        "CloudEvents 1.0: structured, batched and binary mode", ("/v1/cloudevents",), body="One event, or an array."
    ),
    "forget": Route(
        "Forget a visitor or a user: all their rows are deleted, and what still arrives of them",
        ("/v1/forget",),
        body='{"visitor_id": ".."} or {"user_id": ".."}.',
    ),
}
"""Route by name; the name is its label in metrics."""
