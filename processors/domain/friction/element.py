"""What is known of the element of a click: its tag, whether text is edited there, whether a rule ignores it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from processors.domain.fact import Fact

_COMBINATORS: Final = re.compile(r"[\s>+~]+")
_ELEMENT_MAX_CHARS: Final = 512  # a selector longer than this is no selector; the caches must stay small
_SIMPLE: Final = re.compile(r"[.#]?[\w-]+|\[[^\]]*\]")
_NO_TEXT_INPUTS: Final = frozenset(
    {"button", "submit", "reset", "image", "checkbox", "radio", "range", "color", "file"}
)
_REPEATED_SYMBOLS: Final = frozenset("+-<>\u2212\u2013\u2039\u203a«»←→▲▼◀▶")  # and minus, dash, single quotation marks
_REPEATED_WORDS: Final = frozenset({"next", "previous", "prev"})


def tag_of(fact: Fact) -> str:
    """The element's tag in lower case: as sent, else read off the selector; empty when neither tells."""
    return fact.text("tag").lower() or _tag_in(fact.element[-_ELEMENT_MAX_CHARS:])


def is_text_field(fact: Fact) -> bool:
    """Whether clicks there place a caret or select text."""
    if fact.props is not None and fact.props.get("editable") is True:
        return True
    tag = tag_of(fact)
    if tag == "input":
        type_ = fact.text("input_type").lower()
        return type_ not in _NO_TEXT_INPUTS and not any(f"={name}" in fact.element for name in _NO_TEXT_INPUTS)
    return tag == "textarea" or "[contenteditable" in fact.element


def is_clicked_often(fact: Fact) -> bool:
    """Whether the control is made to be clicked several times: steppers and pagers, by their label."""
    label = fact.text("text").strip().lower()
    if not label:
        return False
    return label in _REPEATED_SYMBOLS or not _REPEATED_WORDS.isdisjoint(label.split())


def is_ignored(element: str, ignore: tuple[str, ...]) -> bool:
    """Whether the selector `element` has a part that an entry of `ignore` describes (CSS's `closest`).

    An entry is one compound such as `.carousel`, `#next` or `button.plus`; all it names must be in one part.
    """
    return bool(element) and _is_ignored(element[-_ELEMENT_MAX_CHARS:], ignore)


@lru_cache(maxsize=4096)
def _is_ignored(element: str, ignore: tuple[str, ...]) -> bool:
    parts = [set(_SIMPLE.findall(part)) for part in _COMBINATORS.split(element)]
    return any(wanted <= part for wanted in map(_simple, ignore) if wanted for part in parts)


@lru_cache(maxsize=256)
def _simple(entry: str) -> frozenset[str]:
    return frozenset(_SIMPLE.findall(entry))


@lru_cache(maxsize=4096)
def _tag_in(element: str) -> str:
    last = _COMBINATORS.split(element.strip())[-1]
    found = re.match(r"[a-zA-Z][\w-]*", last)
    return found[0].lower() if found else ""
