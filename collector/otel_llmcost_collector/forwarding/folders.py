"""Which folder a process writes to, and what it finds there: its own, and what processes left that have died.

Each process holds the lowest numbered folder that nobody else holds, by a lock that ends with the process however it
ends. What lies in folders that nobody holds is moved into that one, so whoever starts next goes on with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

if sys.platform != "win32":  # pragma: no branch -- nothing of this is used there
    import fcntl

SUFFIX = ".requests"
_LOCK = "lock"


class Folder:
    """A folder that this process holds."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    def files(self) -> list[Path]:
        """Return what was written, the oldest first."""
        return sorted(self.path.glob(f"*{SUFFIX}"))

    def release(self) -> None:
        """Let somebody else have it."""
        os.close(self._lock)


def held(root: Path) -> Folder:
    """Take hold of a folder in `root`, and move into it what dead processes left in others.

    Raises:
        OSError: The folder cannot be made or written to.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = next(folder for folder in map(_try, _paths(root)) if folder is not None)
    for path in sorted(root.iterdir()):
        left = _try(path) if path.name.isdecimal() and path != own.path else None
        if left is not None:
            _move(left, own)
            left.release()
    return own


def _paths(root: Path) -> Iterator[Path]:
    return (root / str(number) for number in count())


def _try(path: Path) -> Folder | None:
    """Hold a folder unless somebody else does."""
    path.mkdir(mode=0o700, exist_ok=True)
    # The lock file stays for good: two could hold one that comes and goes.
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return Folder(path, lock)


def _move(left: Folder, own: Folder) -> None:
    for path in left.files():  # their names hold the instant they were begun at, and whose they were
        path.rename(own.path / path.name)
