"""The settings as they stand in their file, read again when it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from otel_llmcost.config import Settings, load
from otel_llmcost.config.file import candidates
from otel_llmcost.config.table import CONFIG

_Stamp = tuple[tuple[int, int, int] | None, ...]


class Source:
    """Where a process has its settings from."""

    def __init__(self, places: Sequence[Path], read: Callable[[], Settings]) -> None:
        """Look at the file as it is now.

        Args:
            places: where it may be; one that is not there yet may come.
            read: reads the settings.
        """
        self._places = tuple(places)
        self._stamp = self._look()
        self.read = read

    @classmethod
    def of(cls, environ: Mapping[str, str], *, cwd: Path, home: Path) -> Source:
        """Name the source of a process that was started so; that it changes its folder later is of no account."""
        kept = dict(environ)
        named = kept.get(CONFIG.variable, "").strip() or None
        return cls(candidates(named, kept, cwd=cwd, home=home), partial(load, kept, cwd=cwd, home=home))

    def changed(self) -> Settings | None:
        """Read the settings anew if the file is another than when this was asked last; None: it is the same."""
        stamp = self._look()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        return self.read()

    def _look(self) -> _Stamp:
        return tuple(_stamp(place) for place in self._places)


def _stamp(place: Path) -> tuple[int, int, int] | None:
    try:
        found = place.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
