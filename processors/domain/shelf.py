"""A map whose values are objects while they change and packed bytes while they rest: bounded memory, cheap dumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Shelf(Generic[K, V]):
    """Values of type V by key. `pack` and `unpack` are inverse; a value is either hot (object) or cold (bytes)."""

    def __init__(self, pack: Callable[[V], bytes], unpack: Callable[[bytes], V]) -> None:
        self.hot: dict[K, V] = {}
        self.cold: dict[K, bytes] = {}
        self._pack, self._unpack = pack, unpack

    def get(self, key: K) -> V | None:
        """The live object of `key`, unpacked when it rested; None when there is none."""
        value = self.hot.get(key)
        if value is None and (packed := self.cold.pop(key, None)) is not None:
            value = self.hot[key] = self._unpack(packed)
        return value

    def put(self, key: K, value: V) -> None:
        """Set the live object of `key`."""
        self.cold.pop(key, None)
        self.hot[key] = value

    def drop(self, key: K) -> None:
        """Remove `key` if it is there."""
        if self.hot.pop(key, None) is None:
            self.cold.pop(key, None)

    def dump(self, keep_hot: Callable[[K], bool]) -> dict[K, bytes]:
        """All values packed; hot ones for which `keep_hot` is false rest from now on."""
        dumped = dict(self.cold)
        for key, value in list(self.hot.items()):
            dumped[key] = packed = self._pack(value)
            if not keep_hot(key):
                del self.hot[key]
                self.cold[key] = packed
        return dumped

    def load(self, packed: dict[K, bytes]) -> None:
        """Replace everything by `packed`, all at rest."""
        self.hot.clear()
        self.cold = packed

    def keys(self) -> Iterator[K]:
        """All keys, hot and cold."""
        yield from self.hot
        yield from self.cold

    def __len__(self) -> int:
        return len(self.hot) + len(self.cold)
