"""The budgets that a store's server tells all agents to hold: asked for, kept for the next start, put in force."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol, cast, runtime_checkable

from otel_llmcost.config import Settings
from otel_llmcost.config.fleet import with_fleet
from otel_llmcost.errors import StoreError
from otel_llmcost.instrumentation.contain import logger

START_SECONDS = 0.05
"""So long a start waits for what is new, where something is known from before."""
FIRST_START_SECONDS = 0.25
"""And so long where nothing is: as long as a call waits for its reservation."""
POLL_SECONDS = 2.0


@runtime_checkable
class Telling(Protocol):
    """A store whose server tells what budgets there are."""

    @property
    def name(self) -> str:
        """The server's address."""
        ...

    def told(self, known: str, timeout_seconds: float) -> tuple[str, Mapping[str, object]] | None:
        """See `RemoteStore.told`."""
        ...


class _Told(NamedTuple):
    tag: str
    sections: Mapping[str, object]


class Fleet:
    """What one server told last. Whatever is wrong with it or with what it says, the last that was right holds."""

    def __init__(self, store: Telling, own: Settings) -> None:
        """Begin with what was known when a process of this machine asked last."""
        folder = own.refreshed_prices.parent
        self._kept = folder / f"fleet-{sha256(store.name.encode()).hexdigest()[:16]}.json"
        self._store = store
        self._own = own
        self._told = _read(self._kept)
        self._looked_at = "" if self._told is None else self._told.tag
        self.is_away = False
        """It did not answer when it was asked last."""

    @classmethod
    def of(cls, store: object, own: Settings) -> Fleet | None:
        """Return what tells the budgets of a process; None: its store knows of none."""
        return cls(store, own) if isinstance(store, Telling) else None

    def begin(self) -> Settings:
        """Ask once, for no longer than a start may wait; return what to begin with."""
        self.has_changed(FIRST_START_SECONDS if self._told is None else START_SECONDS)
        settings = self.over(self._own)
        for problem in settings.problems[len(self._own.problems) :]:
            logger.error("%s", problem)
        return settings

    def has_changed(self, timeout_seconds: float = POLL_SECONDS) -> bool:
        """Ask for what is new; tell whether there is something, and it can be used."""
        try:
            new = self._store.told(self._looked_at, timeout_seconds)
        except StoreError as error:
            if not self.is_away:
                logger.warning("the fleet's budgets cannot be asked for, those known stay in force: %s", error)
            self.is_away = True
            return False
        self.is_away = False
        return new is not None and self._is_taken(_Told(*new))

    def over(self, own: Settings) -> Settings:
        """Put the fleet's budgets over a process's own, which is remembered."""
        self._own = own
        if self._told is not None:
            return with_fleet(own, self._told.sections, self._store.name)
        if own.strict and own.refuse_all_reason is None:
            reason = f"{self._store.name} did not say what budgets there are; every call is refused (strict = true)"
            return replace(own, refuse_all_reason=reason)
        return own

    def own(self) -> Settings:
        """Return what the process was told itself."""
        return self._own

    def _is_taken(self, new: _Told) -> bool:
        self._looked_at = new.tag  # what cannot be used is told once, not every time
        found = with_fleet(self._own, new.sections, self._store.name).problems[len(self._own.problems) :]
        if found and self._told is not None:
            for problem in found:
                logger.error("the fleet's budgets stay as they were: %s", problem)
            return False
        self._told = new
        if not found:
            _keep(self._kept, new)
        return True


def _read(path: Path) -> _Told | None:
    try:
        tag, sections = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):  # there is none, or somebody else wrote it
        return None
    if not isinstance(tag, str) or not isinstance(sections, dict):
        return None
    return _Told(tag, cast("Mapping[str, object]", sections))


def _keep(path: Path, told: _Told) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):  # a folder that cannot be written: the next start waits a little longer
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(told, default=float), encoding="utf-8")
        beside.replace(path)
