"""Generated event streams: several visitors, every kind of event, at times that lie on the rules' thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from schemas.event import KIND_OF_TYPE
from tests.oracle.events import milliseconds, moment

Event = dict[str, Any]

BASE_MS = 1_763_942_399_000  # 2025-11-23T23:59:59Z: streams cross midnight, the day in the tables' sort keys

_HOUR = 3_600_000
_STEPS = ("product_added", "checkout_started", "shipping", "payment", "order_completed")
TOPIC = {"clickstream": "clickstream", "error": "errors", "checkout": "checkouts"}

_PAUSES = (0, 1, 90, 400, 999, 1000, 4999, 5000, 20_000, 120_000, 121_000, 600_000, 1_799_999, 1_800_000, 1_800_001)
_LONG = (2 * _HOUR,)
_DAYS = (26 * _HOUR, 60 * _HOUR)
_DELAYS = (0, 0, 0, 0, 40, 3_000, 700_000, 2 * _HOUR)


@dataclass(frozen=True)
class Person:
    """One source of events. Without visitor and session ids its events are nobody's.

    `bot`: every event is labelled as a bot's; `suspect`: one here and there is.
    """

    visitor: str
    sessions: tuple[str, ...]
    site: str = "shop"
    bot: bool = False
    suspect: bool = False


PEOPLE = (
    Person("ann", ("ann-1", "ann-2", "")),
    Person("bob", ("",)),
    Person("cat", ("cat-1",)),
    Person("", ("only-1",)),
    Person("ann", ("ann-1",), site="blog"),
    Person("bot", ("bot-1", ""), bot=True),
    Person("eve", ("eve-1", "eve-2"), suspect=True),
    Person("", ("",)),
)


_SCENES: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...] = (
    (("click",) * 4, (0, 90, 400, 999, 1000)),
    (("click", "js_error"), (0, 1, 999, 1000, 1001)),
    (("page_view",) * 3, (1, 400, 4999, 5000)),
    (_STEPS, (0, 20_000, 120_000, 121_000)),
    (_STEPS, (20_000, 600_000, 1_799_999, 1_800_000, 1_800_001)),
    (("product_added", "js_error", "click", "js_error"), (0, 400, 1000, 20_000)),
    (("page_view",) * 6, (1, 1001, 20_000, 299_999)),
    (("click", "dead_click", "click", "dead_click"), (0, 999, 1000)),
    (("cursor_thrash",) * 3, (225, 5000, 5001)),
    (("scroll",) * 10, (90, 400)),
    (("form_start", "form_field", "form_error", "form_submit", "form_submit", "form_error"), (1000, 1001, 20_000)),
    (("form_start", "form_field", "form_abandon", "page_leave", "form_submit", "form_success"), (400, 20_000)),
    (("web_vital",) * 3, (0, 400)),
    (("checkout_started", "shipping", "payment", "order_completed"), (120_000, 300_000, 300_001)),
    (("cart_viewed", "coupon_denied", "checkout_started", "payment", "product_removed", "payment"), (400, 20_000)),
    (("checkout_started", "registration_required", "help_opened", "click", "page_view"), (400, 30_000, 30_001)),
    (("payment", "payment_failed", "payment_failed", "order_completed"), (400, 20_000)),
    (("search",) * 3, (400, 2000, 2001)),
    (("login_failed", "login_failed", "login", "login_failed"), (400, 20_000)),
    (("checkout_started", "js_error", "order_completed"), (0, 1000, 1_800_001)),
    (("page_view", "click", "click", "payment"), (0, 1000, 20_000, 20_001)),
    (("scroll", "product_added", "shipping", "click"), (0, 1000, 121_001)),
    (("page_view", "checkout_started", "page_leave", "checkout_started", "order_completed"), (0, 1000, 120_000)),
)
"""Types of events that a rule looks for in a row, with the pauses (ms) between them that matter to it."""

_SINGLE = ("page_view", "click", "js_error", "scroll", "page_leave", "form_error", "search", *_STEPS)


@st.composite
def _scene(draw: st.DrawFn, pauses: tuple[int, ...]) -> list[tuple[str, int]]:
    """A few types of events, each with the pause (ms) before it."""
    if draw(st.booleans()):
        types, between = draw(st.sampled_from(_SCENES))
        played = types[: draw(st.integers(2, len(types)))]
        return [(t, draw(st.sampled_from(between if n else pauses))) for n, t in enumerate(played)]
    return [(draw(st.sampled_from(_SINGLE)), draw(st.sampled_from(pauses)))]


@st.composite
def streams(draw: st.DrawFn, *, scenes: int = 10, days: bool = False, repeats: bool = True) -> list[Event]:
    """Events in the order of their receipt. Each visitor's event times span less than 20 h, or weeks with `days`."""
    people = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True))
    pauses = _PAUSES + (_DAYS if days else _LONG)
    clock = dict.fromkeys(people, BASE_MS)
    played = draw(st.lists(st.tuples(st.sampled_from(people), _scene(pauses)), min_size=1, max_size=scenes))
    moves = [(person, type_, pause) for person, scene in played for type_, pause in scene]
    # few numbers decide what is not on a threshold: a flavour for each scene, delays for all events
    flavours = draw(st.lists(st.integers(0, 11), min_size=1, max_size=4))
    delays = draw(st.lists(st.sampled_from(_DELAYS), min_size=1, max_size=7))
    steady = draw(st.booleans())
    events: list[Event] = []
    for n, (person, type_, pause) in enumerate(moves):
        if days or clock[person] + pause - BASE_MS < 20 * _HOUR:
            clock[person] += pause
        flavour = flavours[(n // 4 if steady else n) % len(flavours)]
        events.append(
            _event(n, person, type_, clock[person], delay=delays[n % len(delays)], flavour=flavour, plain=days)
        )
    if repeats:
        for event in draw(st.lists(st.sampled_from(events), max_size=4)):
            late = draw(st.sampled_from((0, 500, _HOUR)))
            events.append({**event, "received_at": _iso(milliseconds(event["received_at"]) + late)})
    return sorted(events, key=lambda event: str(event["received_at"]))


_VIGIL_EVENTS = 108  # a quarter of an hour apart: 25 hours and more


@dataclass(frozen=True)
class Vigil:
    """A visitor who never pauses for long and stays for more than a day. All but `first` and `late` is taken in turn.

    The `first` events are received when the second session has long begun, and move the start of all sessions; `late`
    ones are received 20 h after they happened.
    """

    sessions: tuple[str, ...]
    flavour: int
    pauses: tuple[int, ...]
    types: tuple[str, ...]
    first: int
    late: frozenset[int]

    def events(self) -> list[Event]:
        """Its events in the order of their receipt."""
        person = Person("ann", self.sessions)
        events: list[Event] = []
        at = BASE_MS
        for n in range(_VIGIL_EVENTS):
            hours = 25 if n < self.first else 20 if n in self.late else 0
            type_ = self.types[n % len(self.types)]
            events.append(_event(n, person, type_, at, delay=hours * _HOUR, flavour=self.flavour, plain=True))
            at += self.pauses[n % len(self.pauses)]
        return sorted(events, key=lambda event: str(event["received_at"]))


vigils = st.builds(
    Vigil,
    sessions=st.sampled_from((("",), ("ann-1",))),
    flavour=st.integers(0, 11),
    pauses=st.lists(st.sampled_from((850_000, 899_999, 900_000)), min_size=1, max_size=3).map(tuple),
    types=st.lists(st.sampled_from(("page_view", "click", *_STEPS)), min_size=1, max_size=3).map(tuple),
    first=st.integers(0, 3),
    late=st.frozensets(st.integers(0, _VIGIL_EVENTS - 1), max_size=4),
)


def crowd(seed: int, visitors: int, *, begin_ms: int, hours: int = 10, scenes: int = 6) -> list[Event]:
    """Events of many visitors in the order of their receipt, the same for the same seed: for tests on a real broker.

    Event times lie in the `hours` from `begin_ms` (Unix ms) on; the last is received less than 3 h later. One event in
    twenty is repeated.
    """
    random = Random(seed)
    end = begin_ms + hours * _HOUR
    events: list[Event] = []
    for number in range(visitors):
        person = _numbered(random.choice(PEOPLE), number)
        at = begin_ms + random.randrange(hours * _HOUR // 2)
        for _ in range(random.randint(1, scenes)):
            types, between = random.choice(_SCENES)
            flavour = random.randrange(12)
            for place, type_ in enumerate(types[: random.randint(2, len(types))]):
                at = min(at + random.choice(between if place else _PAUSES + _LONG), end)
                n, delay = len(events), random.choice(_DELAYS)
                event = _event(n, person, type_, at, delay=delay, flavour=flavour, plain=False)
                events.append(event | {"event_id": f"{seed:x}-{(n * 7919) % 1_000_003:06d}"})
    for event in random.sample(events, len(events) // 20):
        late = random.choice((0, 500, _HOUR))
        events.append({**event, "received_at": _iso(milliseconds(event["received_at"]) + late)})
    return sorted(events, key=lambda event: str(event["received_at"]))


def _numbered(person: Person, number: int) -> Person:
    """Another person of the same habits."""
    visitor = f"{person.visitor}{number}" if person.visitor else ""
    sessions = tuple(f"{session}-{number}" if session else "" for session in person.sessions)
    return replace(person, visitor=visitor, sessions=sessions)


def _event(n: int, person: Person, type_: str, at: int, *, delay: int, flavour: int, plain: bool) -> Event:
    spot = (flavour + n) % 2 if type_ == "page_view" else flavour % 3
    event: Event = {
        "event_id": f"e{(n * 7919) % 1009:04d}",  # ids whose order is not that of the events
        "site": person.site,
        "kind": KIND_OF_TYPE[type_],
        "type": type_,
        "ts": _iso(at),
        "received_at": _iso(at + delay),
        "visitor_id": person.visitor,
        "session_id": person.sessions[flavour % len(person.sessions)],
        "path": f"/p/{spot}",
        "page": f"/p/{spot}" if flavour % 4 else "",
        "is_bot": person.bot or (person.suspect and n % 4 == 3),
        "browser": "Firefox" if plain else ("", "Firefox", "Chrome")[flavour % 3],
        "device": "mobile" if plain else ("", "mobile", "desktop")[flavour % 3],
        "release": "r1" if plain else ("", "r1", "r2")[flavour // 4],
        "user_id": "" if plain else ("", "u1")[flavour % 2],
        "os": "iOS" if plain else ("iOS", "", "Android")[flavour % 3],
        "country": "DE" if plain else ("", "FR", "DE")[flavour // 4],
        "referrer": ("", "https://search.example/", "https://news.example/")[flavour % 3],
    }
    if type_ == "click":
        event["element"] = ("", "#buy", "#pay")[flavour % 3]
        if flavour % 2:
            event |= {"x": 100.0 + (29 if n % 5 == 0 else flavour), "y": 200.0}
    elif event["kind"] == "error":
        class_ = {"js_error": ("js", "http_5xx")[flavour % 2]}.get(type_, type_)
        event |= {"error_class": class_, "fingerprint": f"fp{flavour % 2}"}
        event["message"] = ("", "boom", "bang")[flavour % 3]
    elif event["kind"] == "checkout" and flavour % 3:
        money = (10 + flavour, f"{flavour}.5")[flavour % 2]
        event["props"] = {"revenue" if n % 7 == 0 else "value": money, "currency": ("EUR", "USD")[n % 5 == 0]}
    if event["kind"] != "checkout" or flavour > 5:
        event["props"] = {**event.get("props", {}), **_props(type_, n, flavour)}
    if flavour % 4 and not plain:
        event["props"] = {**event.get("props", {}), "plan": ("free", "pro", None)[flavour % 3]}
    if type_ == "page_view" and flavour % 5 == 0 and not plain:
        query = "utm_source=news&utm_medium=e%20mail&" + ("x=1", "gclid=Cj0K")[n % 2]
        event["url"] = f"https://shop.example/p/{spot}?{query}"
    return event


def _props(type_: str, n: int, flavour: int) -> dict[str, Any]:
    """What a client says of such an event, some of it nonsense: other types, huge numbers, null."""
    odd: tuple[Any, ...] = (None, "NaN", 10**30, True, [1], {"a": 1}, "", -1, "x" * 300)
    pick = flavour + n
    sent: dict[str, tuple[Any, ...]] = {
        "form": ("address", "pay", 7),
        "field": ("zip", "mail", ""),
        "effect_ms": (None, 2499, 2500, "3000", 10),
        "tag": ("button", "A", "input", "textarea", "select"),
        "text": ("Buy", "+", "Next page", "Help"),
        "href": ("/p/1", "tel:123", "/faq"),
        "target": ("", "_blank"),
        "depth": ((n % 2) * 20, (n % 2) * 19.9, n * 10 % 90),
        "results": (0, 3, "0"),
        "query": ("shoes", "bags"),
        "name": ("LCP", "inp", "CLS"),
        "id": ("", "v1", "v2"),
        "turns": (4, 5, "6"),
        "acceleration": (0.008, 0.009),
        "channel": ("chat", ""),
        "step": (1, 2, "pay"),
        "total": (50, 54.9, 55, 56.1),
        "shipping": (0, 4.9),
        "account_type": ("guest checkout", "existing user"),
        "error_type": ("soft", "hard", "card_declined", "expired_card"),
        "error_code": ("insufficient_funds", "stolen_card"),
        "reason": ("expired", ""),
        "coupon": ("SAVE", ""),
        "filled": (1, 2),
        "download": (True, False),
    }
    if type_ == "web_vital":
        sent["value"] = (4000, 4000.5, 501, 0.26, 0.25)
    told = {name: values[(pick + len(name)) % len(values)] for name, values in sent.items() if (pick + len(name)) % 4}
    told[list(sent)[n % len(sent)]] = odd[pick % len(odd)]
    return told


def lines(events: Sequence[Event]) -> bytes:
    """A micro-batch: one event per line."""
    return b"\n".join(json.dumps(event).encode() for event in events)


def _iso(ms: int) -> str:
    return moment(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
