"""What a customer without a browser sees of a page: its title, links, forms and the calls it makes of Snag.

A few patterns do, since the pages are the shop's own: attributes in double quotes, controls with an id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final

import orjson

_TAG: Final = re.compile(r"<(/?(?:a|form|input|button))\b([^>]*)>")
_ATTRIBUTE: Final = re.compile(r'([\w-]+)(?:="([^"]*)")?')
_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.S)
_CALLS: Final = re.compile(r'<script type="application/json" id="calls">(.*?)</script>', re.S)


@dataclass
class Form:
    """A form: where it goes, its fields as they stand, and the names of those marked as wrong."""

    id: str
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Button:
    """A button of a form. `does`: what a click on it does in a browser."""

    form: Form
    does: str


@dataclass(frozen=True)
class Seen:
    """A page: links and buttons by id."""

    title: str
    calls: list[list[Any]]
    links: dict[str, str]
    buttons: dict[str, Button]
    forms: list[Form]


def look_at(html: str) -> Seen:
    """The page `html`."""
    links: dict[str, str] = {}
    buttons: dict[str, Button] = {}
    forms: list[Form] = []
    for tag, text in _TAG.findall(html):
        said = {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}
        if tag == "a":
            links[said.get("id", "")] = said.get("href", "")
        elif tag == "form":
            forms.append(Form(said.get("id", ""), said["action"], said.get("method", "get")))
        elif tag == "input" and forms and "name" in said:
            _add_field(forms[-1], said)
        elif tag == "button" and forms:
            does = "throws" if "data-throws" in said else "nothing" if said.get("type") == "button" else "sends"
            buttons[said.get("id", "")] = Button(forms[-1], does)
    title, calls = _TITLE.search(html), _CALLS.search(html)
    return Seen(
        title=unescape(title[1]) if title else "",
        calls=orjson.loads(calls[1]) if calls else [],
        links=links,
        buttons=buttons,
        forms=forms,
    )


def _add_field(form: Form, said: dict[str, str]) -> None:
    if said.get("type") != "radio" or "checked" in said:
        form.fields[said["name"]] = said.get("value", "")
    if said.get("aria-invalid") == "true":
        form.wrong.append(said["name"])
