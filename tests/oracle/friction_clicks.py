"""Rage, dead and error clicks, thrashed cursors and excessive scrolling, restated."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle.events import Happening
from tests.oracle.friction import Friction, Limits, Session, of_type, tag

_BUTTON_LIKE = {"button", "submit", "reset", "image", "checkbox", "radio", "range", "color", "file"}
_STEPPERS = {"+", "-", "\u2212", "\u2013", "<", ">", "\u2039", "\u203a", "«", "»", "←", "→", "▲", "▼", "◀", "▶"}


def rage_clicks(session: Session, limits: Limits) -> Iterator[Friction]:
    clicks = [h for h in of_type(session, "click") if not _edits_text(h) and not _is_stepper(h)]
    breaks = [n for n in range(1, len(clicks)) if not _one_spot(clicks[n - 1], clicks[n], limits)]
    for start, end in zip([0, *breaks], [*breaks, len(clicks)], strict=True):
        chain = clicks[start:end]
        if len(chain) >= limits["clicks"]:
            measured = {"clicks": len(chain), "span_ms": chain[-1].at - chain[0].at}
            yield Friction("rage_click", chain[0], chain[int(limits["clicks"]) - 1], measured)


def _one_spot(a: Happening, b: Happening, limits: Limits) -> bool:
    """Whether click `b` goes on where click `a` was: soon, on the same path and near by (or on the same element)."""
    if b.at - a.at >= limits["gap_ms"] or a.text("path") != b.text("path"):
        return False
    ax, ay, bx, by = a.number("x"), a.number("y"), b.number("x"), b.number("y")
    if ax is None or ay is None or bx is None or by is None:
        return a.text("element") == b.text("element") != ""
    return abs(ax - bx) + abs(ay - by) < limits["distance_px"]


def _edits_text(h: Happening) -> bool:
    if h.props.get("editable") is True or tag(h) == "textarea" or "[contenteditable" in h.text("element"):
        return True
    like_button = h.prop_text("input_type").lower() in _BUTTON_LIKE
    like_button = like_button or any("=" + name in h.text("element") for name in _BUTTON_LIKE)
    return tag(h) == "input" and not like_button


def _is_stepper(h: Happening) -> bool:
    label = h.prop_text("text").lower().split()
    return " ".join(label) in _STEPPERS or any(word in ("next", "previous", "prev") for word in label)


def dead_clicks(session: Session, limits: Limits) -> Iterator[Friction]:
    dead = [h for h in of_type(session, "click", "dead_click") if _had_no_effect(h, limits["effect_ms"])]
    dead = [h for h in dead if not _edits_text(h) and tag(h) not in ("select", "option", "canvas", "html", "body")]
    dead = [h for h in dead if not _leaves_site(h)]
    for node in {_node(h) for h in dead}:
        counted: list[Happening] = []
        for h in dead:
            if _node(h) == node and not (counted and h.at - counted[-1].at < limits["same_ms"]):
                counted.append(h)
        for h in counted:
            yield Friction("dead_click", h, h, {"effect_ms": h.prop_number("effect_ms"), "tag": tag(h)})


def _had_no_effect(h: Happening, limit_ms: float) -> bool:
    waited = h.prop_number("effect_ms")
    said_nothing_happened = h.type == "dead_click" or h.props.get("effect_ms", "missing") is None
    return said_nothing_happened if waited is None else waited >= limit_ms


def _node(h: Happening) -> tuple[object, ...]:
    return (h.place, h.text("element") or (h.number("x"), h.number("y")))


def _leaves_site(h: Happening) -> bool:
    elsewhere = h.prop_text("target").lower() not in ("", "_self")
    scheme = h.prop_text("href").lower().split(":")
    return elsewhere or h.props.get("download") is True or (len(scheme) > 1 and scheme[0] in ("mailto", "tel", "sms"))


def error_clicks(session: Session, limits: Limits) -> Iterator[Friction]:
    defects = [h for h in session if h.kind == "error"]
    defects = [h for h in defects if h.type not in ("form_error", "payment_failed", "login_failed")]
    for click in of_type(session, "click"):
        for error in defects:
            if _blamed(error, session, limits) is not click or error.text("path") != click.text("path"):
                continue
            took = _took(error)
            if error.at - took <= click.at + limits["delay_ms"]:
                measured: dict[str, object] = {n: error.text(n) for n in ("error_class", "fingerprint", "message")}
                measured |= {"duration_ms": took, "delay_ms": max(error.at - took - click.at, 0)}
                yield Friction("error_click", click, click, measured)
                break


def _took(error: Happening) -> int:
    told = error.prop_number("duration_ms") if error.type in ("http_error", "network_error") else None
    return int(told) if told is not None and told > 0 else 0


def _blamed(error: Happening, session: Session, limits: Limits) -> Happening | None:
    """The last click that came before the error was told and before it began."""
    earlier = of_type(session[: session.index(error)], "click")
    earlier = [click for click in earlier if click.at + _took(error) <= error.at + limits["early_ms"]]
    return earlier[-1] if earlier else None


def thrashed_cursors(session: Session, limits: Limits) -> Iterator[Friction]:
    def is_wild(h: Happening) -> bool:
        measured = {name: h.prop_number(name) for name in ("turns", "acceleration")}
        return all(value is None or value > limits[name] for name, value in measured.items())

    wild = [h for h in of_type(session, "cursor_thrash") if is_wild(h)]
    for n, h in enumerate(wild):
        earlier = [e for e in wild[:n] if e.place == h.place]
        if not earlier or h.at - earlier[-1].at > limits["merge_ms"]:
            measured = {name: h.prop_number(name) for name in ("turns", "acceleration")}
            yield Friction("thrashed_cursor", h, h, measured)


def excessive_scrolls(session: Session, limits: Limits) -> Iterator[Friction]:
    for stay in _stays(session):
        turns = _turns(stay, limits["least_percent"])
        if len(turns) >= limits["turns"]:
            measured = {"turns": len(turns), "span_ms": stay[-1].at - stay[0].at}
            yield Friction("excessive_scroll", stay[0], turns[int(limits["turns"]) - 1], measured)


def _stays(session: Session) -> list[list[Happening]]:
    """Scrolls of known depth, cut at each page view and each change of place."""
    stays: list[list[Happening]] = [[]]
    for h in session:
        moved = h.type == "scroll" and bool(stays[-1]) and stays[-1][-1].place != h.place
        if h.type == "page_view" or moved:
            stays.append([])
        if h.type == "scroll" and "depth" in h.numbers:
            stays[-1].append(h)
    return [stay for stay in stays if stay]


def _turns(stay: Session, least: float) -> list[Happening]:
    turns: list[Happening] = []
    since, heading = 0, ""
    for n in range(1, len(stay)):
        depths = [h.numbers["depth"] for h in stay[since : n + 1]]
        if max(depths) - depths[-1] >= least and heading != "down":
            turns += [stay[n]] if heading else []
            since, heading = n, "down"
        elif depths[-1] - min(depths) >= least and heading != "up":
            turns += [stay[n]] if heading else []
            since, heading = n, "up"
    return turns
