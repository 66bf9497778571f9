"""Who may send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_llmcost_collector.tokens import Right, Token

INGEST: Final[frozenset[Right]] = frozenset({"ingest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may come in."""

    tokens: Sequence[Token] = ()
    """None at all: anybody may."""
    is_local: bool = True
    """Where no tokens are asked for, only names of this machine are served; not where clients show certificates."""
