"""Time as data: ticks for the live workers, frontiers for the alert agent."""

from __future__ import annotations

from typing import Final

import msgspec


class Tick(msgspec.Struct):
    """The time at which the tick was made, Unix ms."""

    at: int


class Frontiers(msgspec.Struct):
    """By source partition of one live worker: the receipt time (Unix ms) up to which it has seen everything."""

    frontiers: dict[int, int]


encode_tick: Final = msgspec.json.Encoder().encode
decode_tick: Final = msgspec.json.Decoder(Tick).decode
encode_frontiers: Final = msgspec.json.Encoder().encode
decode_frontiers: Final = msgspec.json.Decoder(Frontiers).decode
