"""Slow page, slow interaction, layout shift: poor by the limits of web-vitals, once a page load."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.friction.facts import fact, find

RULES = [("slow_page", "LCP", 4000), ("slow_interaction", "INP", 500), ("layout_shift", "CLS", 0.25)]


@pytest.mark.parametrize(("rule", "metric", "limit"), RULES)
def test_above_the_limit_is_poor(rule: str, metric: str, limit: float) -> None:
    def poor(value: Any, name: str = metric) -> int:
        return len(find(rule, fact(0, "web_vital", name=name, value=value)))

    assert (poor(limit), poor(limit + 0.01), poor(str(limit + 1)), poor(limit + 1, metric.lower())) == (0, 1, 1, 1)
    assert (poor(None), poor("slow"), poor(limit * 9, "TTFB")) == (0, 0, 0)


@pytest.mark.parametrize(("rule", "metric", "limit"), RULES)
def test_a_metric_that_grows_is_one_signal(rule: str, metric: str, limit: float) -> None:
    told = [fact(n, "web_vital", name=metric, value=limit * (n + 1), id="v1") for n in range(4)]
    (found,) = find(rule, *told)
    assert (found.at.ts, found.evidence) == (1, {"metric": metric, "value": limit * 2})
    assert len(find(rule, *told, fact(9, "web_vital", name=metric, value=limit * 2, id="v2"))) == 2


def test_without_an_id_the_page_tells_loads_apart() -> None:
    slow = [fact(n, "web_vital", path, name="LCP", value=5000) for n, path in enumerate(("/a", "/a", "/b"))]
    assert [found.at.ts for found in find("slow_page", *slow)] == [0, 2]
