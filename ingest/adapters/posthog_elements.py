"""What PostHog's autocapture says about the element clicked: a list of elements, or their chain as one string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ingest.adapters.fields import part, text
from ingest.adapters.values import array, string

_CHAIN_MAX_CHARS: Final = 4096  # the first element is all that is read
_HEAD: Final = re.compile(r"([a-zA-Z][\w-]*)((?:\.[^.:;\"]+)*)")
_ATTRIBUTE: Final = re.compile(r'([\w$-]+)="((?:[^"\\]|\\.)*+)"')


def clicked(props: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """A selector of the innermost element, as `button#pay` or `a.buy`, and its tag, label and link."""
    elements = array(props.get("$elements"))
    found = _of_list(part(elements[0])) if elements else _of_chain(string(props.get("$elements_chain")))
    tag, id_, classes = found.get("tag"), found.pop("id", None), found.pop("classes", None)
    label = text(props.get("$el_text"), found.get("text"))
    selector = f"{tag or ''}{f'#{id_}' if id_ else ''}{f'.{classes[0]}' if classes and not id_ else ''}"
    return selector or None, {name: value for name, value in (found | {"text": label}).items() if value is not None}


def _of_list(element: Mapping[str, Any]) -> dict[str, Any]:
    classes = [name for name in array(element.get("classes")) if isinstance(name, str)]
    return {
        "tag": text(element.get("tag_name")),
        "id": text(element.get("attr__id"), element.get("attr_id")),
        "classes": classes or string(element.get("attr__class")).split() or None,
        "text": text(element.get("$el_text"), element.get("text")),
        "href": text(element.get("attr__href"), element.get("href")),
    }


def _of_chain(chain: str) -> dict[str, Any]:
    chain = chain[:_CHAIN_MAX_CHARS]
    head = _HEAD.match(chain)
    if head is None:
        return {}
    attributes: dict[str, str] = {}
    at = head.end()
    if chain[at : at + 1] == ":":
        at += 1
        while (found := _ATTRIBUTE.match(chain, at)) is not None:
            attributes.setdefault(found[1], found[2].replace('\\"', '"'))
            at = found.end()
    return {
        "tag": head[1],
        "id": attributes.get("attr_id") or attributes.get("attr__id"),
        "classes": head[2].split(".")[1:] or None,
        "text": attributes.get("text"),
        "href": attributes.get("href") or attributes.get("attr__href"),
    }
