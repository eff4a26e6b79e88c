"""Looking around: catalog pages with what is clicked, searched and suffered there; and bots, which only read pages."""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np

from snag.simulator import variants
from snag.simulator.calibration import Calibration
from snag.simulator.moments import Bools, Floats, Ints, Moments, lognormal_ms

PAGE_HEIGHT_PX: Final = 2400
_SCROLLS: Final = 9
_RAGE_CLICKS_MAX: Final = 6
RAGE_DRAWS: Final = 2 + 2 * _RAGE_CLICKS_MAX
_ERRORS_MAX: Final = 3
_CIRCLE: Final = 4
_BOT_PAGES: Final = (5, 60)

_PENDING = tuple[Ints, Ints, Any, Any, Any, Any]


class Rows(Protocol):
    """Things under way, one row each, with a clock of their own (ms)."""

    clock: Ints

    def emit(self, rows: Ints, variant: str | Ints, path: int | Ints, a: Any = 0.0, b: Any = 0.0) -> None:
        """Something happens now on `rows`."""

    def fact(self, rows: Ints, rule: str) -> None:
        """Friction is planted on `rows`."""


class Pages:
    """Catalog pages in the order in which they are read, one row a page; `clock` is how long each has lasted, in ms."""

    def __init__(self, count: int) -> None:
        self.clock = np.zeros(count, np.int64)
        self._events: list[_PENDING] = []
        self._facts: list[tuple[Ints, Ints, str]] = []

    def emit(self, rows: Ints, variant: str | Ints, path: int | Ints, a: Any = 0.0, b: Any = 0.0) -> None:
        """Something happens now on the pages `rows`."""
        self._events.append((rows, self.clock[rows], variant, path, a, b))

    def fact(self, rows: Ints, rule: str) -> None:
        """Friction on the pages `rows`."""
        self._facts.append((rows, self.clock[rows], rule))

    def place(self, moments: Moments, visit: Ints, starts_ms: Ints, shown: Bools) -> None:
        """Hand over what happened on pages that are `shown`, once it is known when each was opened."""
        for rows, off, variant, path, a, b in self._events:
            kept = shown[rows]
            columns = (value[kept] if isinstance(value, np.ndarray) else value for value in (variant, path, a, b))
            moments.add(visit[rows][kept], starts_ms[rows][kept] + off[kept], *columns)
        for rows, off, rule in self._facts:
            kept = shown[rows]
            moments.fact(visit[rows][kept], starts_ms[rows][kept] + off[kept], rule)


def browse(
    moments: Moments,
    rng: np.random.Generator,
    shop: Calibration,
    visit: Ints,
    starts_ms: Ints,
    pages: Ints,
    entry: Ints,
    width_px: Ints,
    shown: Bools,
) -> tuple[Ints, Ints]:
    """Each `visit` reads `pages` catalog pages from `starts_ms` on, coming from page `entry`.

    Visits that are not `shown` leave no events; they use up their draws, so that nobody else's change.

    Returns when it is done (Unix ms) and the page it is on then.
    """
    if not len(visit):
        return starts_ms, entry
    owner = np.repeat(np.arange(len(visit)), pages)
    last = np.cumsum(pages) - 1
    first = last - pages + 1
    path = catalog_paths(rng.random(len(owner)), rng.random(len(owner)), shop)
    uniform = rng.random((9, len(owner)))
    rows = Pages(len(owner))
    every = np.arange(len(owner))
    rows.emit(every, "page_view", path)
    products = np.flatnonzero(path >= variants.FIRST_PRODUCT)
    rows.emit(products, "product_viewed", path[products])

    before = _shifted(path, first, entry)
    back = (uniform[0] < shop.quick_back_rate) & (before != path)
    before = _shifted(np.where(back, before, path), first, entry)
    back &= before != path
    here = _rows(back)
    rows.clock[here] += 1500 + (uniform[1][here] * 2500).astype(np.int64)
    rows.emit(here, "page_view", before[here])
    rows.fact(here, "quick_back")
    path = np.where(back, before, path)

    _search(rows, uniform[2], uniform[3], path, shop)
    here = _rows(uniform[4] < shop.page_error_rate)
    rows.clock[here] += 300
    trouble(rows, here, path[here], rng.random((2, len(here))))
    _friction(rows, _rows(uniform[5] < shop.page_friction_rate), path, before, width_px[owner], rng)
    _click_about(rows, uniform[6], uniform[7], path, width_px[owner], shop, rng)

    rows.clock += lognormal_ms(rng.standard_normal(len(owner)), shop.dwell_s, shop.dwell_sigma)
    through = np.cumsum(rows.clock)
    opened = starts_ms[owner] + through - rows.clock - (through[first] - rows.clock[first])[owner]
    rows.place(moments, visit[owner], opened, shown[owner])
    return opened[last] + rows.clock[last], path[last]


def crawl(moments: Moments, rng: np.random.Generator, shop: Calibration, visit: Ints, starts_ms: Ints) -> Ints:
    """Bots read page after page, one to three seconds each. Returns when they leave (Unix ms)."""
    pages = rng.integers(*_BOT_PAGES, len(visit))
    owner = np.repeat(np.arange(len(visit)), pages)
    path = catalog_paths(rng.random(len(owner)), rng.random(len(owner)), shop)
    stays = 1000 + (rng.random(len(owner)) * 2000).astype(np.int64)
    through = np.concatenate((np.zeros(1, np.int64), np.cumsum(stays)))
    last = np.cumsum(pages)
    opened = starts_ms[owner] + through[:-1] - through[last - pages][owner]
    moments.add(visit[owner], opened, "page_view", path)
    left: Ints = starts_ms + through[last] - through[last - pages]
    return left


def trouble(rows: Rows, here: Ints, path: Ints, uniform: Floats) -> None:
    """An error of the site or of the form on the rows `here`, which are on `path`: 40, 30 and 30 in a hundred.

    `uniform`: two draws a row, shape (2, len(here)).
    """
    roll, more = uniform
    for variant, which in (
        ("js_error", roll < 0.4),
        ("http_500", (roll >= 0.4) & (roll < 0.5)),
        ("http_404", (roll >= 0.5) & (roll < 0.7)),
    ):
        rows.emit(here[which], variant, path[which])
    form = roll >= 0.7
    times = 1 + (more * _ERRORS_MAX).astype(np.int64)
    rows.fact(here[form & (times > 1)], "repeated_field_error")
    for n in range(_ERRORS_MAX):
        which = form & (times > n)
        rows.emit(here[which], "form_error", path[which])
        rows.clock[here[which]] += 4000


def click_place(uniform: Floats, width_px: Ints) -> tuple[Floats, Floats]:
    """Where on a page of that width somebody clicks, px. `uniform`: two draws a click, shape (2, len(width_px))."""
    return np.floor(uniform[0] * width_px), np.floor(uniform[1] * PAGE_HEIGHT_PX)


def angry_clicks(
    rows: Rows, here: Ints, variant: str | Ints, path: Ints, width_px: Ints, times: Ints, uniform: Floats
) -> None:
    """`times` (3 to 6) clicks on one spot as fast as an annoyed hand goes. `uniform`: shape (RAGE_DRAWS, len(here))."""
    x, y = click_place(uniform[:2], width_px)
    pauses = 120 + (uniform[2 : 2 + _RAGE_CLICKS_MAX] * 230).astype(np.int64)
    drift = np.floor(uniform[2 + _RAGE_CLICKS_MAX :] * 4)
    rows.fact(here, "rage_click")
    for n in range(_RAGE_CLICKS_MAX):
        more = times > n
        kind = variant if isinstance(variant, str) else variant[more]
        rows.emit(here[more], kind, path[more], x[more], y[more])
        rows.clock[here[more]] += pauses[n][more]
        x = x + drift[n]


def catalog_paths(kind: Floats, which: Floats, shop: Calibration) -> Ints:
    """Pages of products and of categories, from uniform draws."""
    product = variants.FIRST_PRODUCT + (which * variants.PRODUCTS).astype(np.int64)
    category = variants.FIRST_CATEGORY + (which * len(variants.CATEGORIES)).astype(np.int64)
    return np.where(kind < shop.product_share, product, category)


def _rows(which: Bools) -> Ints:
    return np.flatnonzero(which)


def _shifted(path: Ints, first: Ints, entry: Ints) -> Ints:
    before = np.empty_like(path)
    before[1:] = path[:-1]
    before[first] = entry
    return before


def _search(rows: Pages, searches: Floats, finds: Floats, path: Ints, shop: Calibration) -> None:
    here = _rows(searches < shop.search_rate)
    rows.clock[here] += 2000
    word = (searches[here] / shop.search_rate * len(variants.CATEGORIES)).astype(np.int64)
    nothing = finds[here] < shop.empty_search_rate
    kind = np.where(nothing, variants.number_of("search_empty_0"), variants.number_of("search_0")) + word
    rows.emit(here, kind, path[here])
    rows.fact(here[nothing], "search_without_result")


def _friction(rows: Pages, here: Ints, path: Ints, before: Ints, width_px: Ints, rng: np.random.Generator) -> None:
    """One of seven frictions on each of the pages `here`."""
    rows.clock[here] += 2000
    kind, size = (rng.random(len(here)) * 7).astype(np.int64), rng.random(len(here))

    def of(number: int, rule: str) -> tuple[Ints, Floats]:
        chosen = here[kind == number]
        rows.fact(chosen, rule)
        return chosen, size[kind == number]

    some, _ = of(0, "dead_click")
    rows.emit(some, "dead_click", path[some], *click_place(rng.random((2, len(some))), width_px[some]))
    some, _ = of(1, "thrashed_cursor")
    rows.emit(some, "cursor_thrash", path[some])
    some, _ = of(2, "excessive_scroll")
    for n in range(_SCROLLS):
        rows.clock[some] += 600
        rows.emit(some, "scroll_down" if n % 2 else "scroll_up", path[some])
    some, much = of(3, "slow_page")
    rows.emit(some, "lcp", path[some], np.floor(4200 + much * 5000))
    some, much = of(4, "slow_interaction")
    rows.emit(some, "inp", path[some], np.floor(520 + much * 900))
    some, much = of(5, "layout_shift")
    rows.emit(some, "cls", path[some], 0.26 + much / 2)
    some, much = of(6, "page_loop")
    for n in range(_CIRCLE):
        rows.clock[some] += 6000 + (much * 4000).astype(np.int64)
        rows.emit(some, "page_view", path[some] if n % 2 else before[some])


def _click_about(
    rows: Pages, roll: Floats, more: Floats, path: Ints, width_px: Ints, shop: Calibration, rng: np.random.Generator
) -> None:
    element = (more * len(variants.ELEMENTS)).astype(np.int64)
    click = variants.number_of("click_0") + element
    rage = _rows(roll < shop.rage_click_rate)
    broken = _rows((roll >= shop.rage_click_rate) & (roll < shop.rage_click_rate + shop.error_click_rate))
    plain = _rows((roll >= shop.rage_click_rate + shop.error_click_rate) & (roll < shop.click_rate))

    rows.clock[rage] += 3000
    times = 3 + (rng.random(len(rage)) * 4).astype(np.int64)
    angry_clicks(rows, rage, click[rage], path[rage], width_px[rage], times, rng.random((RAGE_DRAWS, len(rage))))
    rows.clock[broken] += 3000
    rows.emit(broken, click[broken], path[broken], *click_place(rng.random((2, len(broken))), width_px[broken]))
    rows.clock[broken] += 50 + (rng.random(len(broken)) * 700).astype(np.int64)
    rows.emit(broken, variants.number_of("click_error_0") + element[broken], path[broken])
    rows.fact(broken, "error_click")
    rows.clock[plain] += 2000 + (rng.random(len(plain)) * 6000).astype(np.int64)
    rows.emit(plain, click[plain], path[plain], *click_place(rng.random((2, len(plain))), width_px[plain]))
