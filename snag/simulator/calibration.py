"""What the simulated shop's figures are, and where each comes from: the table that docs/simulator.md shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

_UCI: Final = "UCI Online Shoppers, 12,330 sessions"
_STEPS: Final = "public shop funnel: .53 catalog to cart, then .70, .71, .68 to the order"
_BAYMARD: Final = "Baymard, 49 studies of cart abandonment"
PRIOR: Final = "prior: no published figure"


def _figure(value: Any, source: str, meaning: str) -> Any:
    return field(default=value, metadata={"source": source, "meaning": meaning})


@dataclass(frozen=True)
class Calibration:
    """Shares are of the visits that reach the point in question; times are medians of lognormal distributions."""

    new_share: float = _figure(0.143, _UCI, "visits of new people: .1547 = s * .249 + (1 - s) * .139")
    catalog_rate: float = _figure(
        0.864, _UCI, "visits that see more than the first page: .1547 = rate * .53 * .338, the step rates' product"
    )
    cart_rate_new: float = _figure(0.852, _UCI, "put something into the cart, new people: 24.9 % of them buy")
    cart_rate_returning: float = _figure(0.476, _UCI, "the same of returning people: 13.9 % buy")
    step_rates: tuple[float, float, float, float] = _figure(
        (0.70, 0.71, 0.83, 0.82),
        f"{_STEPS}; .82 for a healthy payment page",
        "cart to checkout, shipping, payment, order",
    )
    step_s: tuple[float, float, float, float] = _figure(
        (45.0, 75.0, 60.0, 60.0), "4 minutes to pay, measured for ripe cohorts", "seconds on each of these steps"
    )
    step_sigma: float = _figure(0.8, "as above", "their spread (of the logarithm)")

    pages_median: float = _figure(19.5, f"{_UCI}: 18 over all visits", "catalog pages of a visit that sees any")
    pages_sigma: float = _figure(1.06, f"{_UCI}: mean 31.7, median 18", "their spread")
    pages_max: int = _figure(200, PRIOR, "no visit sees more")
    dwell_s: float = _figure(19.0, f"{_UCI}: 599 s on 18 pages", "seconds on a page; what is done there comes on top")
    dwell_sigma: float = _figure(1.0, _UCI, "their spread")
    product_share: float = _figure(0.6, PRIOR, "product pages among catalog pages; the rest are lists")

    basket_value: float = _figure(45.0, PRIOR, "price of what is put into the cart, EUR")
    basket_sigma: float = _figure(0.6, PRIOR, "its spread")
    shipping_cost: float = _figure(4.9, PRIOR, "shipping, shown in the cart, EUR")

    again_rate: float = _figure(0.35, PRIOR, "people who come once more within days (up to twice), in runs of days")
    again_h: float = _figure(20.0, PRIOR, "hours until then, after the first four")
    again_sigma: float = _figure(1.0, PRIOR, "their spread")
    cart_kept_rate: float = _figure(0.5, PRIOR, "of those who left a cart and come again: go on with it")

    click_rate: float = _figure(0.5, PRIOR, "pages with a click")
    rage_click_rate: float = _figure(0.004, PRIOR, "pages with rage clicks")
    error_click_rate: float = _figure(0.003, PRIOR, "pages with a click that throws an error")
    quick_back_rate: float = _figure(0.02, PRIOR, "pages left for the last one at once")
    page_error_rate: float = _figure(0.006, PRIOR, "catalog pages with an error")
    search_rate: float = _figure(0.05, PRIOR, "catalog pages with a search")
    empty_search_rate: float = _figure(0.08, PRIOR, "searches that find nothing")
    page_friction_rate: float = _figure(0.012, PRIOR, "pages with another friction: seven kinds, equally often")
    survivor_trouble_rate: float = _figure(0.03, PRIOR, "of those who pass a checkout step: met the same trouble")
    leaver_trouble_rate: float = _figure(0.22, f"{_BAYMARD}: site had errors or crashed, 22 %", "of those who leave it")
    login_trouble_rate: float = _figure(0.08, PRIOR, "logins that fail at first")
    form_retry_rate: float = _figure(0.05, PRIOR, "address forms sent twice")
    leaver_obstacle_rate: float = _figure(
        0.15, f"{_BAYMARD}: an account 19 to 35 %", "leavers who met an account, a refused coupon or sought help"
    )
    surprise_rate: float = _figure(
        0.3, f"{_BAYMARD}: extra costs 39 to 61 %", "of those who leave the payment page: saw a higher total there"
    )
    surprise_factor: float = _figure(1.25, PRIOR, "by how much higher")
    leaver_declined_rate: float = _figure(
        0.45,
        f"{_BAYMARD}: card declined, 5 % of all who abandon; 11 % of them do so at payment",
        "leave payment: declined",
    )
    hard_refusal_share: float = _figure(0.25, PRIOR, "of declined cards: for good")

    bot_share: float = _figure(0.1, "12 % of the requests in a real site's log", "bots among visitors")
    late_rate: float = _figure(0.01, PRIOR, "events that arrive late")
    late_s: float = _figure(120.0, PRIOR, "by so many seconds")
    late_max_s: float = _figure(1200.0, PRIOR, "and no more than so many")
    duplicate_rate: float = _figure(0.01, PRIOR, "events that are sent twice")
    wrong_clock_rate: float = _figure(0.02, PRIOR, "people whose clock is wrong, either way")
    wrong_clock_s: float = _figure(30.0, PRIOR, "by so many seconds")
    wrong_clock_max_s: float = _figure(240.0, "below what the collector corrects", "and no more than so many")

    night_factor: float = _figure(0.2, PRIOR, "traffic at four in the night (UTC) against the day's mean")
    weekend_factor: float = _figure(1.2, PRIOR, "traffic of a Saturday or Sunday against the week's mean")


SHOP: Final = Calibration()

DEVICES: Final = (
    ("mobile", "Chrome", "Android", 412),
    ("mobile", "Safari", "iOS", 390),
    ("desktop", "Chrome", "Windows", 1536),
    ("desktop", "Safari", "macOS", 1440),
    ("desktop", "Firefox", "Windows", 1536),
    ("desktop", "Edge", "Windows", 1536),
    ("tablet", "Safari", "iOS", 820),
)
"""Device, browser, system, width of the page in px. Prior: mobile leads in e-commerce by about two to one."""

DEVICE_SHARES: Final = (0.36, 0.26, 0.20, 0.07, 0.04, 0.04, 0.03)
COUNTRIES: Final = ("DE", "US", "GB", "FR", "NL")
COUNTRY_SHARES: Final = (0.40, 0.25, 0.15, 0.12, 0.08)
CAMPAIGNS: Final = (
    ("", "", ""),
    ("google", "cpc", "autumn_sale"),
    ("newsletter", "email", "weekly"),
    ("instagram", "social", "influencer"),
)
"""Source, medium and name; the first is no campaign. Prior."""

CAMPAIGN_SHARES: Final = (0.62, 0.2, 0.1, 0.08)
RELEASE: Final = "2026.11.1"

EVENTS_PER_VISITOR: Final = 66.0
"""Mean lines of a visit, bots and repeats included; measured, held by a test. Turns events/s into visitors/s."""
