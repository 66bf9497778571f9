"""Waits for brokers, to stand around the functions that programs call."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained

BROKERS: dict[str, tuple[str, ...]] = {
    "litellm": (
        *("litellm", "litellm.utils", "litellm.router", "litellm.rust_bridge.bindings"),
        "litellm.litellm_core_utils.streaming_handler",
    ),
}
"""Rows in `otel_llmcost.adapters` → the modules whose import they wait for; loading the rows is not for the start."""

_patched: list[tuple[Any, str]] = []


def wait() -> None:
    """Stand by for the import of a broker."""
    for rows, modules in BROKERS.items():
        for module in modules:
            wrapt.register_post_import_hook(partial(_imported, rows), module)


def remove() -> None:
    """Take everything back."""
    for owner, name in _patched:
        unwrap(owner, name)
    _patched.clear()


def _imported(rows: str, module: ModuleType) -> None:
    with contained(f"patch {module.__name__}"):
        if state.is_installed and not state.is_disabled:
            patch(import_module(f"otel_llmcost.adapters.{rows}").ENTRIES, module)


def patch(entries: Any, module: ModuleType) -> None:
    """Stand around the functions of one module."""
    for entry in entries:
        if entry.module != module.__name__:
            continue
        path, _, name = entry.name.rpartition(".")
        owner = getattr(module, path, None) if path else module
        function = None if owner is None else vars(owner).get(name)
        if function is not None and not isinstance(getattr(function, "_self_wrapper", None), _wrapper("brokered")):
            wrapper = _wrapper("native" if entry.part == "natives" else "brokered")
            wrapt.wrap_function_wrapper(owner, name, wrapper(entry))
            _patched.append((owner, name))


def _wrapper(module: str) -> Any:
    """Load a wrapper, with all it needs."""
    found = import_module(f"otel_llmcost.instrumentation.{module}")
    return found.NativeWrapper if module == "native" else found.BrokerWrapper
