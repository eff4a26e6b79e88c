"""The side requests that browser libraries make before they send an event."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ingest.adapters.adapter import Answer, Page
from ingest.adapters.posthog_pages import POSTHOG_PAGES
from ingest.adapters.segment_pages import SEGMENT_PAGES
from ingest.refusal import RequestError
from tests.support.wire import request

PAGES = {page.name: page for page in (*POSTHOG_PAGES, *SEGMENT_PAGES)}


def serve(name: str, path: str, **asked: Any) -> Answer:
    page: Page = PAGES[name]
    headers = {"Host": "collect.example:8080"} | asked.pop("headers", {})
    return page.serve(request(path, method="GET", headers=headers, **asked), lambda key: key == b"wk")


def test_posthogs_configuration_asks_for_nothing_else() -> None:
    config = json.loads(serve("posthog_config", "/array/wk/config", parameters={"key": "wk"}).body)
    assert config["token"] == "wk"
    assert "surveys" not in config
    for name in (
        "hasFeatureFlags",
        "sessionRecording",
        "heatmaps",
        "captureDeadClicks",
        "capturePerformance",
    ):
        assert config[name] is False


def test_posthogs_script_holds_the_same_configuration() -> None:
    answer = serve("posthog_script", "/array/wk/config.js", parameters={"key": "wk"})
    found = re.fullmatch(rb'\(window\.\w+=window\.\w+\|\|\{\}\)\["wk"\]=(.*);\n', answer.body)
    assert found is not None
    config = json.loads(serve("posthog_config", "/array/wk/config", parameters={"key": "wk"}).body)
    assert json.loads(found[1]) == {"config": config, "siteApps": []}
    assert answer.content_type.startswith(b"text/javascript")


def test_there_are_no_flags() -> None:
    flags = json.loads(serve("posthog_flags", "/flags").body)
    assert (flags["featureFlags"], flags["flags"], flags["errorsWhileComputingFlags"]) == ({}, {}, False)


@pytest.mark.parametrize(
    ("path", "headers", "protocol", "host"),
    [
        ("/v1/projects/wk/settings", {}, "http", "collect.example:8080/v1"),
        ("/v1/projects/wk/settings", {"X-Forwarded-Proto": "https"}, "https", "collect.example:8080/v1"),
        ("/v1/projects/wk/settings", {"X-Forwarded-Proto": "https, http"}, "https", "collect.example:8080/v1"),
        ("/v1/projects/wk/settings", {"Origin": "https://shop.example"}, "https", "collect.example:8080/v1"),
        ("/v1/projects/wk/settings", {"Origin": "http://shop.example"}, "http", "collect.example:8080/v1"),
        ("/data/v1/projects/wk/settings", {}, "http", "collect.example:8080/data/v1"),
    ],
)
def test_segments_settings_send_events_to_where_they_came_from(
    path: str, headers: dict[str, str], protocol: str, host: str
) -> None:
    settings = json.loads(serve("segment_settings", path, parameters={"key": "wk"}, headers=headers).body)
    segment = settings["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == ("wk", host, protocol)
    assert settings["metrics"] == {"sampleRate": 0}


def test_rudders_configuration_names_our_address() -> None:
    answer = serve("rudder_config", "/sourceConfig/", query="p=npm&v=3&writeKey=wk&lockIntegrationsVersion=false")
    source = json.loads(answer.body)["source"]
    assert (source["writeKey"], source["enabled"], source["destinations"]) == ("wk", True, [])
    assert source["dataplanes"] == {"US": [{"url": "http://collect.example:8080", "default": True}]}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("posthog_config", "/array/other/config"),
        ("posthog_script", "/array/other/config.js"),
        ("segment_settings", "/v1/projects/other/settings"),
        ("rudder_config", "/sourceConfig"),
    ],
)
def test_an_unknown_key_is_told(name: str, path: str) -> None:
    with pytest.raises(RequestError) as caught:
        serve(name, path, parameters={"key": "other"}, query="writeKey=other")
    assert caught.value.code == "unauthorized"
