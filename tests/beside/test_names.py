"""The names by which we know others are those of the packages that are installed."""

from __future__ import annotations

from importlib.metadata import entry_points

from otel_llmcost.telemetry.spans import FOREIGN_INSTRUMENTORS


def test_every_instrumentor_of_the_sdks_is_known() -> None:
    """One that is not known would get a second span beside its own."""
    installed = {
        (point.name, (point.module, point.attr))
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.name in FOREIGN_INSTRUMENTORS
    }

    assert len(installed) == 6
    assert installed <= {(sdk, name) for sdk, names in FOREIGN_INSTRUMENTORS.items() for name in names}
