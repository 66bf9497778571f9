"""From when on a ledger's sums are shown: boards count what a series gains, and one that is new to them as a whole.

The ledger's sums go on over restarts, and so do their series, under one id that a small file keeps. Who was not looked
at for long begins anew, under another id and from nothing; else a year's cost would count as this hour's, since
Prometheus does not know any more how much of it it has seen.
"""

from __future__ import annotations

import logging
import os
import uuid
from pathlib import Path

import msgspec

from otel_llmcost_collector.exposition.series import Series
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS, SERIES_LABELS
from otel_llmcost_collector.self_metrics import Labels

LONGEST_GAP_SECONDS = 12 * 3600
"""Boards look back a day for what a series was before; this is safely less."""
_TOUCH_SECONDS = 60
_LOGGER = logging.getLogger(__name__)


class _Kept(msgspec.Struct):
    """What the file says; its time of change is when somebody looked last."""

    instance: str
    labels: tuple[str, ...]
    amounts: tuple[str, ...]
    base: list[tuple[Labels, tuple[int, ...]]]


class Epoch:
    """An id, and the sums that are not shown under it because they were there before."""

    def __init__(self, series: Series, file: Path | None, *, now: float) -> None:
        """Go on with the epoch of a file, or begin one.

        Args:
            series: the sums of now.
            file: where it is kept; None: every run begins one.
            now: in seconds since 1970.
        """
        self._file = file
        self._seen_at = now
        self.instance = ""
        self.base: dict[Labels, tuple[int, ...]] = {}
        kept = None if file is None else _read(file, now)
        if kept is None:
            self.begin(series, now=now)
            return
        self.instance, self.base = kept.instance, dict(kept.base)
        if not self.is_of(series):
            self.begin({}, now=now)

    def begin(self, series: Series, *, now: float) -> None:
        """Begin anew, with the sums of now as nothing."""
        self.instance = str(uuid.uuid4())
        self.base = {labels: tuple(amounts) for labels, amounts in series.items()}
        self._seen_at = now
        if self._file is not None:
            _write(self._file, _Kept(self.instance, SERIES_LABELS, SERIES_AMOUNTS, list(self.base.items())), now)

    def is_of(self, series: Series) -> bool:
        """Tell whether these sums go on from where it began; of a new ledger they do not."""
        calls = SERIES_AMOUNTS.index("calls")
        return all(
            labels in series and series[labels][calls] >= amounts[calls] for labels, amounts in self.base.items()
        )

    def look(self, series: Series, *, now: float) -> bool:
        """Note that somebody looks.

        Returns:
            True: it has begun anew, since nobody had looked for long, or the ledger is another one.
        """
        if not self.is_of(series):
            self.begin({}, now=now)
            return True
        if now - self._seen_at > LONGEST_GAP_SECONDS:
            self.begin(series, now=now)
            return True
        if now - self._seen_at > _TOUCH_SECONDS:
            self._seen_at = now
            if self._file is not None:
                _touch(self._file, now)
        return False


def _read(file: Path, now: float) -> _Kept | None:
    try:
        if now - file.stat().st_mtime > LONGEST_GAP_SECONDS:
            return None
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _LOGGER.warning("%s cannot be read, so the figures of /metrics begin anew: %s", file, error)
        return None
    return kept if (kept.labels, kept.amounts) == (SERIES_LABELS, SERIES_AMOUNTS) else None


def _write(file: Path, kept: _Kept, now: float) -> None:
    beside = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(msgspec.json.encode(kept))
        beside.replace(file)
        os.utime(file, (now, now))
    except OSError as error:
        _LOGGER.warning("%s cannot be written, so the figures of /metrics begin anew at a restart: %s", file, error)


def _touch(file: Path, now: float) -> None:
    try:
        os.utime(file, (now, now))
    except OSError as error:
        _LOGGER.warning("%s cannot be touched, so the figures of /metrics may begin anew: %s", file, error)
