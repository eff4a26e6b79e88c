"""Search without result: nothing found, unless the visitor was still typing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.friction.facts import fact, find


@pytest.mark.parametrize(
    ("props", "found"),
    [
        ({"results": 0}, 1),
        ({"results": "0"}, 1),
        ({"total_results": 0}, 1),
        ({"results": 3}, 0),
        ({}, 0),
        ({"results": None}, 0),
        ({"results": False}, 0),
        ({"results": 3, "total_results": 0}, 0),
    ],
)
def test_nothing_found(props: dict[str, Any], found: int) -> None:
    assert len(find("search_without_result", fact(0, "search", query="shoes", **props))) == found


def test_search_as_you_type_is_one_search() -> None:
    typed = [fact(at, "search", query=query, results=0) for at, query in ((0, "s"), (2_000, "sh"), (4_001, "shoes"))]
    assert [found.evidence for found in find("search_without_result", *typed)] == [{"query": "sh"}, {"query": "shoes"}]
    better = fact(5_000, "search", query="shoe", results=4)
    assert [found.evidence["query"] for found in find("search_without_result", *typed, better)] == ["sh"]
