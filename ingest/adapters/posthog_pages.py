"""The side requests of posthog-js: its remote configuration, as JSON and as a script, and feature flags.

With these answers nothing else is asked for, so that no request goes astray: no replay, no surveys, no site apps, and
nothing that would have to be loaded as a further script. `surveys` is left out for that: posthog-js loads their script
also when it is told that there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Answer, Page, Request
from ingest.refusal import RequestError

_CONFIG: Final[dict[str, Any]] = {
    "supportedCompression": ["gzip", "gzip-js"],
    "hasFeatureFlags": False,
    "analytics": {"endpoint": "/i/v0/e/"},
    "elementsChainAsString": True,
    "autocapture_opt_out": False,
    "defaultIdentifiedOnly": True,
    "isAuthenticated": False,
    "toolbarParams": {},
    "siteApps": [],
    "errorTracking": {"autocaptureExceptions": False, "suppressionRules": []},
    "logs": {"captureConsoleLogs": False},
    **dict.fromkeys(
        (
            *("sessionRecording", "heatmaps", "productTours", "conversations", "captureDeadClicks"),
            *("capturePerformance", "autocaptureExceptions"),
        ),
        False,
    ),
}

_NO_FLAGS: Final[dict[str, Any]] = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
    "quotaLimited": [],
}


def _key(request: Request, is_known: Callable[[bytes], bool]) -> str:
    """The key in the path. Raises RequestError when it is unknown: the site's developer has to see that."""
    key = request.parameters["key"]
    if not is_known(key.encode()):
        raise RequestError("unauthorized")
    return key


def _config(request: Request, is_known: Callable[[bytes], bool]) -> Answer:
    return Answer(body=msgspec.json.encode({"token": _key(request, is_known)} | _CONFIG))


def _config_script(request: Request, is_known: Callable[[bytes], bool]) -> Answer:
    """What `array.js` of PostHog's snippet loads: the same configuration, where the library looks for it."""
    key = _key(request, is_known)
    config = {"config": {"token": key} | _CONFIG, "siteApps": []}
    script = b"(window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{})[%s]=%s;\n"
    return Answer(
        body=script % (msgspec.json.encode(key), msgspec.json.encode(config)),
        content_type=b"text/javascript; charset=utf-8",
        headers=((b"x-content-type-options", b"nosniff"),),
    )


def _flags(_request: Request, _is_known: Callable[[bytes], bool]) -> Answer:
    """No flags, whoever asks: it says nothing about a site."""
    return Answer(body=_FLAGS_BODY)


_FLAGS_BODY: Final = msgspec.json.encode(_CONFIG | _NO_FLAGS)

POSTHOG_PAGES: Final = (
    Page(name="posthog_config", serve=_config),
    Page(name="posthog_script", serve=_config_script),
    Page(name="posthog_flags", serve=_flags),
)
