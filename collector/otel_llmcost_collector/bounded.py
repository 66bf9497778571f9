"""A memory of what was worked out before, in which senders cannot fill the machine's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(dict[K, V], Generic[K, V]):
    """Remembers what it made, up to a number; then it begins anew."""

    def __init__(self, make: Callable[[K], V], most: int, *, is_kept: Callable[[K], bool] = lambda _: True) -> None:
        """Begin.

        Args:
            make: of what is not there.
            most: how many are remembered.
            is_kept: tells of a key whether it is small enough.
        """
        super().__init__()
        self._make = make
        self._most = most
        self._is_kept = is_kept

    def __missing__(self, key: K) -> V:
        made = self._make(key)
        if self._is_kept(key):
            if len(self) >= self._most:
                self.clear()
            self[key] = made
        return made
