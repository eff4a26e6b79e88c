"""From a request's path to what serves it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_PARAMETER: Final = re.compile(r"\\\{(\w+)\\\}")  # {name}, as re.escape leaves it
_NO_PARAMETERS: Final[dict[str, str]] = {}


class RouteTable(Generic[T]):
    """Finds a route by its path: plain paths by one look-up, patterns such as `/api/{project}/envelope` one by one."""

    def __init__(self, routes: Iterable[tuple[str, T]]) -> None:
        """`routes`: path or pattern, and what serves it. The first of two that match wins."""
        self._plain: dict[str, tuple[T, Mapping[str, str]]] = {}
        self._patterns: list[tuple[re.Pattern[str], T]] = []
        for path, served in routes:
            if "{" in path:
                pattern = _PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(path.rstrip("/")))
                self._patterns.append((re.compile(pattern), served))
            else:
                self._plain.setdefault(path.rstrip("/") or "/", (served, _NO_PARAMETERS))

    def find(self, path: str) -> tuple[T, Mapping[str, str]] | None:
        """What serves `path`, and the values of its pattern's parameters; None if nothing does."""
        if (found := self._plain.get(path)) is not None:
            return found
        path = "/" + path.strip("/")  # an address that was given with a slash at its end makes two at the beginning
        if (found := self._plain.get(path)) is not None:
            return found
        for pattern, served in self._patterns:
            if match := pattern.fullmatch(path):
                return served, match.groupdict()
        return None


def served_at(path: str, moved: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Where `path` is served, given the setting `ingest.paths`: its entry for the path, else the longest prefix's.

    An entry names all places, so the path itself only if it is among them. One whose name ends in `*` stands for all
    paths that begin so, and the `*` in its places for the rest of the path.
    """
    if path in moved:
        return moved[path]
    prefixes = [name for name in moved if name.endswith("*") and path.startswith(name[:-1])]
    if not prefixes:
        return (path,)
    prefix = max(prefixes, key=len)
    return [place.replace("*", path[len(prefix) - 1 :]) for place in moved[prefix]]
