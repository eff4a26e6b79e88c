"""Quick back: to another page and back within five seconds."""

from __future__ import annotations

from tests.unit.friction.facts import find, view
from tests.unit.test_domain_fact import make_fact


def test_back_within_five_seconds_is_a_quick_back() -> None:
    (found,) = find("quick_back", view(0, "/a"), view(100, "/b"), view(5099, "/a"))
    assert (found.first.page, found.at.ts) == ("/b", 5099)
    assert found.evidence == {"dwell_ms": 4999, "left": "/b", "back_to": "/a"}
    assert find("quick_back", view(0, "/a"), view(100, "/b"), view(5100, "/a")) == []


def test_on_to_a_third_page_is_no_quick_back() -> None:
    assert find("quick_back", view(0, "/a"), view(100, "/b"), view(200, "/c")) == []


def test_a_reload_is_no_other_page() -> None:
    assert find("quick_back", view(0, "/a"), view(100, "/a"), view(200, "/a")) == []
    (found,) = find("quick_back", view(0, "/a"), view(100, "/b"), view(4000, "/b"), view(5000, "/a"))
    assert found.evidence["dwell_ms"] == 4900


def test_to_and_fro_is_a_quick_back_each_time() -> None:
    assert len(find("quick_back", view(0, "/a"), view(100, "/b"), view(200, "/a"), view(300, "/b"))) == 2


def test_the_very_page_counts_not_its_template() -> None:
    first, second, third = (make_fact(n, path=f"/p/{n}", page="/p/:id") for n in (0, 100, 200))
    assert find("quick_back", first, second, third) == []
    again = make_fact(300, path="/p/100", page="/p/:id")
    assert len(find("quick_back", first, second, third, again)) == 1
