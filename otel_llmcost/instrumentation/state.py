"""What is installed in this process. One process has one set of patches, so this is a module and no object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_llmcost.config import Settings
    from otel_llmcost.instrumentation.runtime import Runtime
    from otel_llmcost.instrumentation.tracing import Tracing

is_installed: bool = False
"""Whether we wait for SDKs."""
is_disabled: bool = False
"""The settings say so; known once an SDK was imported."""
given: Settings | None = None
"""None: they are read when the first SDK is imported."""
tracing: Tracing | None = None
runtime: Runtime | None = None
"""None: no SDK was imported yet."""
patched: dict[str, list[tuple[type, str]]] = {}
"""The SDK's name → its classes, and the method of each that we stand around."""


def summary() -> dict[str, Any]:
    """Sum up what this process has spent: totals, by model, by agent, and the latest 1,000 charges.

    Returns:
        Amounts as text, exact to the nano-dollar; empty before the first call.
    """
    return {} if runtime is None else runtime.summary()
