"""What is read off a span, and the canonical form of it that all dialects come down to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.core.usage import Unit

Value = str | int | float | bool | tuple["Value", ...]
"""Of an attribute; what is no such (bytes, maps) is left out."""


@dataclass(frozen=True, slots=True)
class Around:
    """What all spans of one scope in one resource share."""

    scope: str
    resource: Mapping[str, Value] = field(default_factory=dict[str, Value])


class Telling(NamedTuple):
    """What one span says of one call, canonical: totals include their parts, names are the standard's."""

    source: str
    """Name of the dialect."""
    richness: int
    provider: str
    operation: str
    requested_model: str
    served_model: str | None
    tags: Mapping[Dimension, str]
    counts: Mapping[Unit, int]
    """Empty: the span does not carry enough to know."""
    status: ChargeStatus = "confirmed"
    """What its price makes of it aside: `estimated` where the counts are somebody's guess."""
    method: str = "reported"
    tier: str = "standard"
    response_id: str | None = None
    error_type: str | None = None
    cost_nano: int | None = None
    """What the provider or our own plugin says it costs; None: it is to be priced."""
    charge_id: str | None = None
    """Of our own plugin."""
    price_id: str | None = None
    """The rate that our own plugin priced it by."""
    input_semantics: str = "inclusive"
    """How cached tokens stood in the input: `inclusive`, `exclusive` or `inferred`."""


class Reader(Protocol):
    """Reads the spans that have one set of attributes: which name means what is settled once for all of them."""

    @property
    def wanted(self) -> Sequence[str]:
        """The attributes whose values are needed, few of those that a span has."""
        ...

    def read(self, name: str, values: Sequence[Value | None], around: Around) -> Telling | None:
        """Read one span.

        Args:
            name: of the span.
            values: of the wanted attributes, in their order; None: it has another type than any of `Value`.
            around: its scope and resource.

        Returns:
            None: it is no call, or one that another span tells of.
        """
        ...
