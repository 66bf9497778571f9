"""The page that names every metric of a collector, made of what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.collector.exposition.test_exposition import STATE, full

_PAGE = Path(__file__).parents[3] / "docs" / "collector-metrics.md"
_ALL = """## Every metric

Written by `make docs` from what a collector shows. Each has `service_instance_id` too, distributions have `le`.

"""
_HEAD = "| metric | kind | labels | what it tells |\n|---|---|---|---|\n"
_HIDDEN = {"service_instance_id", "otel_metric_overflow", "le"}


def metrics_page() -> str:
    """What was written by hand, and one row for every metric."""
    text = _PAGE.read_text(encoding="utf-8").partition(_ALL)[0]
    families = list(text_string_to_metric_families(full().render("", STATE)[0].decode()))
    own = [each for each in families if each.name.startswith("llmcost_collector_")]
    shared = [each for each in families if each not in own]
    return "".join(
        [
            text,
            _ALL,
            "As agents show them, of all calls in the ledger:\n\n",
            _HEAD,
            *_rows(shared),
            "\nOf the collector itself:\n\n",
            _HEAD,
            *_rows(own),
        ]
    )


def _rows(families: list[Metric]) -> Iterator[str]:
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label not in _HIDDEN)
        shown = ", ".join(f"`{label}`" for label in labels)
        yield f"| `{name}` | {family.type} | {shown} | {family.documentation} |\n"
