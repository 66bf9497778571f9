"""What entries have in common with many others, kept once for all of them: calls of one kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import cast

import msgspec

from otel_llmcost.core.attribution import DIMENSIONS, Dimension, encodable
from otel_llmcost.core.ledger import REVERSED, ChargeStatus
from otel_llmcost.storage.base import GroupBy
from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.observed import Observed

OWN: tuple[Dimension, ...] = ("user", "task", "session", "trace")
"""Dimensions with so many values that each entry has its own."""
SHARED: tuple[Dimension, ...] = tuple(each for each in DIMENSIONS if each not in OWN)
GROUPS: tuple[GroupBy, ...] = (*SHARED, "status", "operation", "rate")
"""What the sums of hours, days and months are kept by."""
STATUSES: tuple[ChargeStatus, ...] = ("confirmed", "estimated", "suspected", "unpriced")

KindKey = tuple[object, ...]
_facts: Callable[[Observed], tuple[object, ...]] = attrgetter(
    "provider",
    "operation",
    "requested_model",
    "served_model",
    "status",
    "method",
    "rate_id",
    "rate_source",
    "tier",
    "source",
    "richness",
)


class KindForm(msgspec.Struct, array_like=True, frozen=True):
    """A kind as it stands in a ledger."""

    provider: str
    operation: str
    requested_model: str
    served_model: str | None
    status: str
    method: str
    rate_id: str | None
    rate_source: str | None
    tier: str
    source: str
    richness: int
    is_correction: bool
    is_at_list_price: bool
    is_trace_tagged: bool
    tags: tuple[str | None, ...]


@dataclass(frozen=True)
class Kind:
    """What many entries have in common."""

    form: KindForm

    @property
    def is_reversal(self) -> bool:
        """Whether such entries take others back."""
        return self.form.method == REVERSED

    @cached_property
    def standing(self) -> int:
        """How its entries count, in a number: of which status, as a call or a correction, for or against."""
        status = STATUSES.index(self.status)
        return status * 4 + self.form.is_correction * 2 + self.is_reversal

    @property
    def status(self) -> ChargeStatus:
        """How sure their cost is."""
        return cast("ChargeStatus", self.form.status)

    @property
    def model(self) -> str:
        """The model that answered, else the one asked for."""
        return self.form.served_model or self.form.requested_model

    @cached_property
    def tags(self) -> dict[Dimension, str]:
        """The dimensions that they share."""
        return {name: value for name, value in zip(SHARED, self.form.tags, strict=True) if value is not None}

    @cached_property
    def groups(self) -> dict[GroupBy, str | None]:
        """What they are grouped by in sums; what a call says of itself is known of every entry, tagged or not."""
        form, tags = self.form, self.tags
        found: dict[GroupBy, str | None] = {name: tags.get(name) for name in SHARED}
        found["provider"] = tags.get("provider", form.provider)
        found["model"] = tags.get("model", self.model)
        return {**found, "status": form.status, "operation": form.operation, "rate": form.rate_id}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What they are grouped by in metrics, see `SERIES_LABELS`."""
        form, tag = self.form, self.tags.get
        said = [tag(name, "") for name in ("agent", "team", "feature", "environment")]
        return (form.provider, form.requested_model, form.operation, *said, form.status, form.source)


def kind_key(line: Line) -> KindKey:
    """Return what tells the kind of an entry, as fast as can be: each has to be looked up."""
    observed = line.observed
    tag, cost = observed.tags.get, observed.cost_nano
    trace = tag("trace")
    return (
        line.is_reversal,
        line.corrects is None,
        cost is not None and cost == observed.list_cost_nano,
        trace is not None and trace == observed.trace_id,
        tag("agent"),
        tag("team"),
        tag("feature"),
        tag("workflow"),
        tag("endpoint"),
        tag("project"),
        tag("environment"),
        tag("tier"),
        tag("provider"),
        tag("model"),
        *_facts(observed),
    )


def kind_of(line: Line) -> Kind:
    """Return the kind of an entry."""
    observed = line.observed
    tags, cost = observed.tags, observed.cost_nano
    trace = tags.get("trace")
    return Kind(
        KindForm(
            provider=_clean(observed.provider),
            operation=_clean(observed.operation),
            requested_model=_clean(observed.requested_model),
            served_model=clean(observed.served_model),
            status=observed.status,
            method=REVERSED if line.is_reversal else _clean(observed.method),
            rate_id=clean(observed.rate_id),
            rate_source=clean(observed.rate_source),
            tier=_clean(observed.tier),
            source=_clean(observed.source),
            richness=observed.richness,
            is_correction=line.corrects is not None,
            is_at_list_price=cost is not None and cost == observed.list_cost_nano,
            is_trace_tagged=trace is not None and trace == observed.trace_id,
            tags=tuple(clean(tags.get(name)) for name in SHARED),
        )
    )


def encode(kind: Kind) -> str:
    """Write a kind down; the same is always written alike."""
    return _encoder.encode(kind.form).decode()


def decode(body: str) -> Kind:
    """Read a kind."""
    return Kind(_decoder.decode(body))


def clean(text: str | None) -> str | None:
    """Spell out what is no character, and the one that PostgreSQL does not take."""
    return None if text is None else _clean(text)


def _clean(text: str) -> str:
    return encodable(text).replace("\0", "\\x00")


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(KindForm)
