"""A map whose values are objects while they change and packed bytes while they rest: bounded memory, cheap dumps.

What rests is a slice of the blob it was last written into, or bytes of its own until it is written next. Whoever keeps
that blob as well shares it, and a resting value costs its key, a number and its packed bytes once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_SIZE_BITS: Final = 32  # a place is one number, start and size: half the memory of a pair
_SIZE_MASK: Final = (1 << _SIZE_BITS) - 1


class Shelf(Generic[K, V]):
    """Values of type V by key. `pack` and `unpack` are inverse; a value is either hot (object) or at rest (bytes)."""

    def __init__(self, pack: Callable[[V], bytes], unpack: Callable[[bytes], V]) -> None:
        self.hot: dict[K, V] = {}
        self._packed: dict[K, bytes] = {}
        self._places: dict[K, int] = {}
        self._blob = b""
        self._pack, self._unpack = pack, unpack

    def get(self, key: K) -> V | None:
        """The live object of `key`, unpacked when it rested; None when there is none."""
        value = self.hot.get(key)
        if value is None and (packed := self._take(key)) is not None:
            value = self.hot[key] = self._unpack(packed)
        return value

    def put(self, key: K, value: V) -> None:
        """Set the live object of `key`."""
        self._take(key)
        self.hot[key] = value

    def drop(self, key: K) -> None:
        """Remove `key` if it is there."""
        if self.hot.pop(key, None) is None:
            self._take(key)

    def put_to_rest(self, key: K) -> None:
        """Pack the live object of `key`, if there is one, until it is asked for."""
        value = self.hot.pop(key, None)
        if value is not None:
            self._packed[key] = self._pack(value)

    def packed(self) -> dict[K, bytes]:
        """All values packed."""
        pieces = {key: self._at(place) for key, place in self._places.items()}
        pieces.update(self._packed)
        for key, value in self.hot.items():
            pieces[key] = self._pack(value)
        return pieces

    def rest(self, blob: bytes, start: int, sizes: Mapping[K, int], keep_hot: Callable[[K], bool]) -> None:
        """From now on the values of `sizes` rest in `blob`, one after the other from `start` on.

        Hot ones for which `keep_hot` is true stay as they are.
        """
        self._blob = blob
        self._packed, self._places = {}, {}
        for key, size in sizes.items():
            if key not in self.hot or not keep_hot(key):
                self.hot.pop(key, None)
                self._places[key] = start << _SIZE_BITS | size
            start += size

    def keys(self) -> Iterator[K]:
        """All keys, hot and at rest."""
        yield from self.hot
        yield from self._packed
        yield from self._places

    def __len__(self) -> int:
        return len(self.hot) + len(self._packed) + len(self._places)

    def _take(self, key: K) -> bytes | None:
        packed = self._packed.pop(key, None)
        if packed is None and (place := self._places.pop(key, None)) is not None:
            packed = self._at(place)
        return packed

    def _at(self, place: int) -> bytes:
        start = place >> _SIZE_BITS
        return self._blob[start : start + (place & _SIZE_MASK)]
