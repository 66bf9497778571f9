"""What must be let go before a fork and made anew behind it: locks, connections, threads."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that does not survive a fork as it is."""

    def before_fork(self) -> None:
        """Come to rest."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Begin anew, without what belongs to the parent."""
        ...


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()


def watch(thing: Forkable) -> None:
    """Tell `thing` of every fork for as long as it lives."""
    _watched.add(thing)


def _before() -> None:
    for thing in tuple(_watched):
        thing.before_fork()


def _after_in_parent() -> None:
    for thing in tuple(_watched):
        thing.after_fork_in_parent()


def _after_in_child() -> None:
    for thing in tuple(_watched):
        thing.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
