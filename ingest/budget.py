"""One bound for the bytes the collector holds."""

from __future__ import annotations


class Budget:
    """Counts bytes held for requests that are being read and for records that Kafka has not acknowledged."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def take(self, size_bytes: int) -> bool:
        """Take `size_bytes` if they fit; the taker gives them back."""
        if self.used_bytes + size_bytes > self.limit_bytes:
            return False
        self.used_bytes += size_bytes
        return True

    def move(self, size_bytes: int) -> None:
        """Take `size_bytes` that were promised room already: what a body that was taken turned into."""
        self.used_bytes += size_bytes

    def give(self, size_bytes: int) -> None:
        """Give back what was taken."""
        self.used_bytes -= size_bytes
