"""Form abandonment: a form begun and left without sending it, with the field touched last.

Zuko's terms: started is any interaction, abandoned is started and never completed. Left is what the client says
(form_abandon), the page left (page_leave) or another page viewed. A form sent later in the session after all is not
abandoned: the signal is then taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.checkout import STEPS
from processors.domain.friction.form import form_of
from processors.domain.friction.signal import Signal

_TOUCHES: Final = frozenset({"form_start", "form_field", "form_abandon", "form_error"})


@dataclass
class _Form:
    """A form begun: `fields` in the order of their first touch; `left` when the visitor has gone since."""

    first: Fact
    last: Fact
    fields: dict[str, None] = field(default_factory=dict)
    last_field: str = ""
    filled: float | None = None
    total: float | None = None
    left: Fact | None = None

    def touch(self, fact: Fact) -> None:
        name = fact.text("field")
        if name:
            self.fields[name] = None
            self.last_field = name
        self.last = fact
        self.left = fact if fact.type == "form_abandon" else None
        if fact.type == "form_abandon":
            self.filled, self.total = fact.number("filled"), fact.number("total")


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Abandoned forms among `facts`; threshold: fields (touched, at least)."""
    forms: dict[str, _Form] = {}
    for fact in facts:
        if fact.type in _TOUCHES:
            name = form_of(fact)
            if name not in forms:
                forms[name] = _Form(fact, fact)
            forms[name].touch(fact)
        elif fact.type in ("form_submit", "form_success"):
            forms.pop(form_of(fact), None)
        elif fact.type == "login" or fact.type in STEPS:
            forms.clear()
        else:
            for form in forms.values():
                if form.left is None and _leaves(fact, form.last.place):
                    form.left = fact
    for name, form in forms.items():
        if form.left is not None and len(form.fields) >= thresholds["fields"]:
            evidence = {
                "form": name,
                "last_field": form.last_field,
                "fields": len(form.fields),
                "filled": form.filled,
                "total": form.total,
                "seen_by": form.left.type,
            }
            yield Signal("form_abandonment", form.first, form.left, evidence)


def _leaves(fact: Fact, place: str) -> bool:
    if fact.type == "page_leave":
        return fact.place == place
    return fact.type == "page_view" and fact.place != place
