"""Campaigns: what a landing address says of itself."""

from __future__ import annotations

import pytest

from processors.domain.campaign import Campaign, campaign_of


@pytest.mark.parametrize(
    ("url", "campaign"),
    [
        ("https://shop.example/", None),
        ("https://shop.example/?page=2", None),
        ("https://shop.example/#utm_source=x", None),
        ("https://shop.example/?utm_source=news", ("news", "", "", "", "", "")),
        (
            "https://shop.example/p?utm_source=a&UTM_MEDIUM=e%20mail&utm_campaign=s+le&utm_term=t&utm_content=c#top",
            ("a", "e mail", "s le", "t", "c", ""),
        ),
        ("https://shop.example/?a=1&gclid=Cj0KCQ", ("", "", "", "", "", "google")),
        ("https://shop.example/?gclid=&fbclid=IwAR", ("", "", "", "", "", "meta")),
        ("https://shop.example/?utm_source=a&utm_source=b", ("a", "", "", "", "", "")),
        ("https://shop.example/?utm_source=" + "x" * 900, ("x" * 200, "", "", "", "", "")),
        ("https://shop.example/?my_utm_source=a", None),
    ],
)
def test_a_campaign_is_read_from_the_address(url: str, campaign: Campaign | None) -> None:
    assert campaign_of(url) == campaign
