"""The names by which we know others are those of the packages that are installed."""

from __future__ import annotations

from importlib.metadata import entry_points

from otel_llmcost.telemetry.spans import FOREIGN_INSTRUMENTORS


def test_every_instrumentor_of_the_sdks_is_known() -> None:
    """One that is not known would get a second span beside its own."""
    installed = {
        (point.module, point.attr)
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.name.replace("_", "-") in ("openai", "anthropic", "google-genai", "google-generativeai")
    }

    assert len(installed) == 9
    assert installed <= {name for names in FOREIGN_INSTRUMENTORS.values() for name in names}
