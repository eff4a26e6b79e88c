"""A tick: time as data."""

from __future__ import annotations

from typing import Final

import msgspec


class Tick(msgspec.Struct):
    """The time at which the tick was made, Unix ms."""

    at: int


encode_tick: Final = msgspec.json.Encoder().encode
decode_tick: Final = msgspec.json.Decoder(Tick).decode
