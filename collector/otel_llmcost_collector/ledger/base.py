"""What a ledger of a collector must do, see the contract suite in tests/collector/ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost_collector.observed import Observed


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry to be written; made in a sixth of the time that a dataclass takes."""

    observed: Observed
    call_key: bytes | None = None
    """12 bytes that all tellings of one call share, whoever told them (of its response id); None: there is none."""
    corrects: str | None = None
    """Id of the entry that it takes back or replaces."""
    is_reversal: bool = False
    """Its counts and amounts are those of `corrects`, negative; its id is that one's with `-reversed` behind."""
    estimate_nano: int | None = None
    """What a plugin expected before it sent the call; spans do not tell."""
    actions: tuple[str, ...] = ()
    """What a plugin's budgets had changed in the request, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of the lines of one `write`."""

    is_new: Sequence[bool]
    """Of each line; of those with one id, only the first can be."""
    known_calls: Mapping[int, str]
    """Place of a line that was not written because its call is in the ledger already, under another id → that id."""
    commit_id: str | None
    """Names what was noted for the balances; None: nothing was."""


Note = Callable[[Sequence[Observed]], bytes | None]
"""Makes of what is new (reversals with negative amounts) what is to be done beside the ledger, in some coding of the
caller's; None: nothing. Called inside the transaction, so that both are written or neither."""


class Ledger(Protocol):
    """Charges that stay. Used by one thread at a time; methods raise `StoreError` only.

    The insert is the accounting event: what is not new moves nothing. Rollups and series are moved in the same
    transaction by what is new.
    """

    def write(self, lines: Sequence[Line], note: Note) -> Written:
        """Append what is new, in one transaction that is on disk when this returns."""
        ...

    def notes(self) -> list[tuple[str, bytes]]:
        """Read what this node noted and nobody said to be done yet, oldest first."""
        ...

    def done(self, commit_ids: Sequence[str]) -> None:
        """Forget notes."""
        ...

    def find(self, charge_ids: Sequence[str]) -> list[Observed]:
        """Read entries by id (an id tells its time); those that are not there are left out."""
        ...

    def since(self, at: datetime, most: int) -> list[Observed]:
        """Read the latest entries since a time that are no corrections, oldest first."""
        ...

    def series(self) -> Mapping[tuple[str, ...], Sequence[int]]:
        """Read the sums of all time that this node's metrics are made of.

        Returns:
            Labels (see `SERIES_LABELS`) → amounts (see `SERIES_AMOUNTS`).
        """
        ...

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """Add up the ledger, dearest group first, as `Store.totals` does."""
        ...

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """Read the ledger in order of time, as `Store.charges` does."""
        ...

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Store.uncertain`."""
        ...

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Store.unconfirmed`."""
        ...

    def forget(self, before: datetime, *, most: int | None = None) -> int:
        """Delete entries of before a time, to the hour, rollups kept.

        What is that old and comes from now on is not new, as nobody could tell it from what was forgotten.

        Args:
            before: the time.
            most: delete about so many at most, so that whoever writes need not wait for long; None: all.

        Returns:
            How many were; 0: there is nothing left to forget.
        """
        ...

    def close(self) -> None:
        """Let go of file and connections."""
        ...


SERIES_LABELS = (
    "provider",
    "requested_model",
    "operation",
    "agent",
    "team",
    "feature",
    "environment",
    "status",
    "source",
)
"""Of the sums that metrics are made of; an empty text where a dimension is not known."""
SERIES_AMOUNTS = (
    "cost_nano",
    "reversed_nano",
    "calls",
    "input",
    "cache_read",
    "cache_write",
    "output",
    "reasoning",
    "unpriced",
    "reversed_input",
    "reversed_cache_read",
    "reversed_cache_write",
    "reversed_output",
    "reversed_reasoning",
)
"""Exclusive classes of tokens, so that they can be added up: input without cached, output without reasoning.

Of entries that take another back, only the `reversed_` ones, as positive numbers: the others never fall, since
Prometheus would take that for a restart."""
