"""What is loaded when: next to nothing before the first SDK."""

from __future__ import annotations

from otel_llmcost.adapters import SDKS
from otel_llmcost.instrumentation.instrumentor import SDK_MODULES


def test_the_start_waits_for_the_modules_that_the_rows_patch() -> None:
    """The names stand twice, since loading the rows is not for the start; they must be the same."""
    assert {sdk.name: sdk.module for sdk in SDKS} == SDK_MODULES
