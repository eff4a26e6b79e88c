"""Paths: which route serves one, and how a setting moves them."""

from __future__ import annotations

import pytest

from ingest.adapters.registry import SERVED
from ingest.routing import RouteTable, served_at
from schemas.routes import ROUTES


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/batch", ("batch", {})),
        ("/v1/batch/", ("batch", {})),
        ("//v1/batch", ("batch", {})),
        ("//api/42/envelope/", ("envelope", {"project": "42"})),
        ("/api/42/envelope", ("envelope", {"project": "42"})),
        ("/api/42/envelope/", ("envelope", {"project": "42"})),
        ("/a.b", ("dotted", {})),
        ("/aXb", None),
        ("/api//envelope", None),
        ("/api/4/2/envelope", None),
        ("/api/42/envelope/more", None),
        ("/v1", None),
        ("/", None),
        ("", None),
    ],
)
def test_what_serves_a_path(path: str, found: object) -> None:
    routes = [("/v1/batch", "batch"), ("/v1/batch", "second"), ("/api/{project}/envelope/", "envelope")]
    assert RouteTable([*routes, ("/a.b", "dotted")]).find(path) == found


@pytest.mark.parametrize(
    ("moved", "places"),
    [
        ({}, ["/v1/batch"]),
        ({"/v1/track": ("/x",)}, ["/v1/batch"]),
        ({"/v1/batch": ("/v1/batch", "/parcel")}, ["/v1/batch", "/parcel"]),
        ({"/v1/batch": ()}, []),
        ({"/*": ("/*", "/shop/*")}, ["/v1/batch", "/shop/v1/batch"]),
        ({"/*": ("/a/*",), "/v1/*": ("/b/*",)}, ["/b/batch"]),
        ({"/*": ("/a/*",), "/v1/batch": ("/c",)}, ["/c"]),
    ],
)
def test_where_a_path_is_served(moved: dict[str, tuple[str, ...]], places: list[str]) -> None:
    assert list(served_at("/v1/batch", moved)) == places


def test_every_route_of_the_contract_is_served_by_one_adapter_or_page() -> None:
    assert sorted(served.name for served in SERVED) == sorted(ROUTES)


def test_no_two_routes_share_a_path() -> None:
    paths = [path.rstrip("/") for route in ROUTES.values() for path in route.paths]
    assert sorted(set(paths)) == sorted(paths)
