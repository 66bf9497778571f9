"""Every dialect that is understood, a row each; the scope of a span decides, then the order here."""

from __future__ import annotations

from otel_llmcost_collector.dialects.instrumentors import INSTRUMENTORS
from otel_llmcost_collector.dialects.products import PRODUCTS
from otel_llmcost_collector.dialects.row import Dialect

DIALECTS: tuple[Dialect, ...] = (*INSTRUMENTORS, *PRODUCTS)

STANDARD = Dialect(
    name="standard",
    richness=10,
    told="anybody else, by the GenAI conventions' names of today and of before",
    cached="inside the input, unless the figures show that they are not",
)
