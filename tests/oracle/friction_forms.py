"""Forms sent again, fields refused again, and forms left, restated: one full scan for each form."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.oracle.events import Happening
from tests.oracle.friction import STEPS, Friction, Limits, Session, of_type

_TOUCHES = ("form_start", "form_field", "form_abandon", "form_error")


def form_retries(session: Session, limits: Limits) -> Iterator[Friction]:
    for form in sorted({_form(h) for h in of_type(session, "form_submit")}):
        for run in _runs(session, form, lambda h: h.type == "form_submit", limits["gap_ms"]):
            if len(run) >= limits["attempts"]:
                measured = {"form": form, "attempts": len(run), "span_ms": run[-1].at - run[0].at}
                yield Friction("form_retry", run[0], run[int(limits["attempts"]) - 1], measured)


def repeated_field_errors(session: Session, limits: Limits) -> Iterator[Friction]:
    refused = {(_form(h), _field(h)) for h in of_type(session, "form_error") if _field(h)}
    for form, field in sorted(refused):
        for run in _runs(session, form, _refuses(field), limits["gap_ms"]):
            if len(run) >= limits["errors"]:
                measured = {"form": form, "field": field, "errors": len(run), "message": run[-1].text("message")}
                yield Friction("repeated_field_error", run[0], run[int(limits["errors"]) - 1], measured)


def form_abandonments(session: Session, limits: Limits) -> Iterator[Friction]:
    for form in sorted({_form(h) for h in of_type(session, *_TOUCHES)}):
        ends = [n for n, h in enumerate(session) if _ends(h, form)]
        rest = session[ends[-1] + 1 :] if ends else session
        touches = [h for h in of_type(rest, *_TOUCHES) if _form(h) == form]
        if not touches:
            continue
        last = touches[-1]
        left = last if last.type == "form_abandon" else _leaving(rest[rest.index(last) + 1 :], last.place)
        fields = [h.prop_text("field") for h in touches if h.prop_text("field")]
        if left is None or len(set(fields)) < limits["fields"]:
            continue
        counted = of_type(touches, "form_abandon")
        measured = {
            "form": form,
            "last_field": fields[-1] if fields else "",
            "fields": len(set(fields)),
            "filled": counted[-1].prop_number("filled") if counted else None,
            "total": counted[-1].prop_number("total") if counted else None,
            "seen_by": left.type,
        }
        yield Friction("form_abandonment", touches[0], left, measured)


def _runs(session: Session, form: str, is_try: Callable[[Happening], bool], gap_ms: float) -> list[list[Happening]]:
    """Tries at one form, cut where it was accepted; a try right after the one before is the same try."""
    runs: list[list[Happening]] = [[]]
    for h in session:
        run = runs[-1]
        if is_try(h) and _form(h) == form:
            if not run or h.at - run[-1].at > gap_ms:
                run.append(h)
        elif run and _accepts(h, form, run[-1].place):
            runs.append([])
    return [run for run in runs if run]


def _accepts(h: Happening, form: str, place: str) -> bool:
    went_on = h.type == "page_view" and h.place != place
    return went_on or h.type in (*STEPS, "login") or (h.type == "form_success" and _form(h) == form)


def _ends(h: Happening, form: str) -> bool:
    return h.type in (*STEPS, "login") or (h.type in ("form_submit", "form_success") and _form(h) == form)


def _leaving(rest: Session, place: str) -> Happening | None:
    for h in rest:
        if (h.type == "page_leave" and h.place == place) or (h.type == "page_view" and h.place != place):
            return h
    return None


def _form(h: Happening) -> str:
    return h.prop_text("form") or h.text("element") or h.place


def _field(h: Happening) -> str:
    return h.prop_text("field") or h.text("element")


def _refuses(field: str) -> Callable[[Happening], bool]:
    return lambda h: h.type == "form_error" and _field(h) == field
