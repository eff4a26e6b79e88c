"""The side requests of Segment's and RudderStack's browser libraries: where events go, and that this is all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Answer, Page, Request
from ingest.adapters.credentials import standard_key
from ingest.refusal import RequestError

_PROJECTS: Final = "/v1/projects/"
_SOURCE_CONFIG: Final = "/sourceConfig"


def _settings(request: Request, is_known: Callable[[bytes], bool]) -> Answer:
    """The settings that analytics-next loads from its `cdnURL`: events go to where the settings came from."""
    key = request.parameters["key"]
    if not is_known(key.encode()):
        raise RequestError("unauthorized")
    scheme, host = request.address()
    place = request.path[: request.path.rfind(_PROJECTS)]
    segment = {
        "apiKey": key,
        "apiHost": f"{host}{place}/v1",
        "protocol": scheme,
        "deliveryStrategy": {"strategy": "standard", "config": {}},
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
        "retryQueue": True,
    }
    answer: dict[str, Any] = {
        "integrations": {"Segment.io": segment},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
    return Answer(body=msgspec.json.encode(answer))


def _source_config(request: Request, is_known: Callable[[bytes], bool]) -> Answer:
    """The source that RudderStack's library loads from its `configUrl`: enabled, no destinations, no own statistics."""
    key = standard_key(request.headers, request.query)
    if not is_known(key):
        raise RequestError("unauthorized")
    scheme, host = request.address()
    place = request.path[: request.path.rfind(_SOURCE_CONFIG)]
    name = key.decode("utf-8", "replace")
    source = {
        "id": name,
        "name": name,
        "writeKey": name,
        "enabled": True,
        "workspaceId": "snag",
        "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        "dataplanes": {"US": [{"url": f"{scheme}://{host}{place}", "default": True}]},
        "connections": [],
        "destinations": [],
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    return Answer(body=msgspec.json.encode({"source": source, "updatedAt": source["updatedAt"]}))


SEGMENT_PAGES: Final = (
    Page(name="segment_settings", serve=_settings),
    Page(name="rudder_config", serve=_source_config),
)
