"""What the simulated shop's figures are, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Calibration:
    """Shares are of the visits that reach the point in question; times are medians of lognormal distributions.

    Sources. UCI: Online Shoppers Purchasing Intention data set, 12,330 sessions, 15.47 % buy; new visitors 24.9 %,
    returning 13.9 %; median 18 product pages and 599 s on them. Step rates: .53 catalog to cart, .70 cart to checkout,
    .71 to payment choice, .68 payment choice to paid, and .82 for the last click of a healthy payment page, so .83
    before it. Baymard: 66 to 70 % of carts abandoned; of the reasons given, 22 % site errors, 5 % card declined.
    Figures marked "prior" have no published source.
    """

    new_share: float = 0.143  # UCI: 0.1547 = s * 0.249 + (1 - s) * 0.139
    catalog_rate: float = 0.864  # 0.1547 = catalog * 0.53 * 0.338; the others leave the page they came to
    cart_rate_new: float = 0.852  # UCI: 0.249 = catalog * cart * 0.338
    cart_rate_returning: float = 0.476  # UCI: 0.139 = catalog * cart * 0.338
    step_rates: tuple[float, float, float, float] = (0.70, 0.71, 0.83, 0.82)  # product = 0.338: 66 % abandoned
    step_s: tuple[float, float, float, float] = (45.0, 75.0, 60.0, 60.0)  # sums to the 4 min of semantics 3
    step_sigma: float = 0.8

    pages_median: float = 19.5  # 18 over all visits, the page they came to and those who saw no other included
    pages_sigma: float = 1.06  # UCI: mean 31.7 against median 18
    pages_max: int = 200
    dwell_s: float = 19.0  # mean 32 s a page: 599 s over 18 pages and what is done there
    dwell_sigma: float = 1.0
    product_share: float = 0.6  # of catalog pages; the rest are lists. Prior

    basket_value: float = 45.0  # median price of what is put into the cart. Prior
    basket_sigma: float = 0.6
    shipping_cost: float = 4.9

    click_rate: float = 0.5  # per page. Prior, like the next six
    rage_click_rate: float = 0.004
    error_click_rate: float = 0.003
    quick_back_rate: float = 0.02
    page_error_rate: float = 0.006
    search_rate: float = 0.05
    survivor_trouble_rate: float = 0.03  # of those who pass a checkout step, having met the same trouble
    leaver_trouble_rate: float = 0.22  # Baymard: site had errors or crashed
    page_friction_rate: float = 0.012  # per page. Prior, like the rest of this block
    empty_search_rate: float = 0.08
    login_trouble_rate: float = 0.08
    form_retry_rate: float = 0.05
    leaver_obstacle_rate: float = 0.15  # an account, a refused coupon, help sought: each on its step
    surprise_rate: float = 0.3  # of those who see the payment page and leave; Baymard: 39 % name extra costs
    surprise_factor: float = 1.25
    hard_refusal_share: float = 0.25
    leaver_declined_rate: float = 0.45  # Baymard: 5 % of all who abandon; only those 11 % at the payment step can

    bot_share: float = 0.1  # of visitors; 12 % of the requests in a real site's log
    late_rate: float = 0.01  # of events. Prior, like the rest
    late_s: float = 120.0
    late_max_s: float = 1200.0
    duplicate_rate: float = 0.01


SHOP = Calibration()

EVENTS_PER_VISITOR = 66.0
"""Mean lines a visitor makes, bots and repeats included; measured, held by a test. Turns events/s into visitors/s."""
