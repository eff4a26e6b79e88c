"""From an event as it was sent to the event as it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.draft import Draft
from ingest.paths import path_of
from ingest.refusal import Refusal
from ingest.skew import Shift
from ingest.times import read_moments
from schemas.errors import error_class, fingerprint
from schemas.event import KIND_OF_TYPE, TEXT_MAX_CHARS

_LEVELS_ABOVE_PROPS: Final = 2  # the event and its `props`


class Normaliser:
    """Completes what was sent in one request: same input, same result (but for ids it assigns)."""

    def __init__(
        self,
        received_at: datetime,
        *,
        shift: Shift | None,
        future_tolerance: timedelta,
        max_nesting: int,
        next_id: Callable[[], str],
    ) -> None:
        """`received_at` has millisecond precision; `shift` corrects client times (see `skew.py`)."""
        self._received_at = received_at
        self._shift = shift
        self._latest = received_at + future_tolerance
        self._max_nesting = max_nesting
        self._next_id = next_id

    def __call__(self, drafts: Sequence[Draft]) -> list[tuple[int, Refusal]]:  # noqa: PLR0912  a call costs as much as a step
        """Complete each of `drafts`; which of them are refused, by place. Those may be completed in part."""
        latest, shift = self._latest, self._shift
        room = self._max_nesting - _LEVELS_ABOVE_PROPS
        kind_of_type = KIND_OF_TYPE.get
        refused: list[tuple[int, Refusal]] = []
        said = [draft.timestamp if draft.ts is None else draft.ts for draft in drafts]
        for place, (draft, client_ts) in enumerate(zip(drafts, read_moments(said), strict=True)):
            props = draft.props
            if props and _is_deeper(props, room):
                cause = f"The event is nested more than {self._max_nesting} levels deep."
                refused.append((place, Refusal("too_deep", "props", cause, draft.event_id or "")))
                continue
            if client_ts is not None:
                ts = client_ts if shift is None else client_ts + shift(draft)
                if ts > latest:
                    ts, draft.ts_source = self._received_at, "received_future"
                draft.ts = ts
            elif said[place] is None:
                draft.ts, draft.ts_source = self._received_at, "received"
            else:
                field = "timestamp" if draft.ts is None else "ts"
                cause = f"`{field}` names no usable moment."
                refused.append((place, Refusal("invalid_timestamp", field, cause, draft.event_id or "")))
                continue
            draft.client_ts = client_ts
            if draft.timestamp is not None:
                draft.timestamp = None
            if draft.sent_at is not None:
                draft.sent_at = None
            if not draft.event_id:
                draft.event_id = self._next_id()
            if (kind := draft.kind) is None:
                draft.kind = kind = kind_of_type(draft.type, "clickstream")
            path = draft.path
            if not path and (url := draft.url):
                draft.path = path = path_of(url)
            if not draft.page:
                draft.page = path
            if props:
                _take_from_props(draft, props)
            if kind == "error":
                _classify(draft, props or {})
        return refused


def _take_from_props(draft: Draft, props: dict[str, Any]) -> None:
    """Position and message may stand in `props`; they stay there too."""
    if "x" in props and draft.x is None and type(x := props["x"]) in (int, float):
        draft.x = _float(x)
    if "y" in props and draft.y is None and type(y := props["y"]) in (int, float):
        draft.y = _float(y)
    if "message" in props and not draft.message and isinstance(message := props["message"], str):
        draft.message = message[:TEXT_MAX_CHARS]


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except OverflowError:  # JSON's whole numbers have no bound
        return None


def _classify(draft: Draft, props: dict[str, Any]) -> None:
    draft.error_class = class_ = error_class(draft.type, props)
    draft.fingerprint = fingerprint(class_, draft.type, draft.message or "", props)


def _is_deeper(props: dict[str, Any], levels: int) -> bool:
    """Whether a value of `props` holds more than `levels` levels of objects and arrays, itself being the first."""
    for value in props.values():
        if ((kind := type(value)) is dict or kind is list) and _deeper_than(value, levels):
            return True
    return False


def _deeper_than(value: Any, levels: int) -> bool:
    """Whether the object or array `value` holds more than `levels` levels of them, itself being the first."""
    level = [value]
    for _ in range(levels):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in (dict, list)
        ]
        if not level:
            return False
    return True
