"""Waits for brokers, to stand around the functions that programs call."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from otel_llmcost.instrumentation.waiting import Waiting, owner_of

BROKERS: dict[str, tuple[str, ...]] = {
    "litellm": (
        *("litellm", "litellm.utils", "litellm.router", "litellm.rust_bridge.bindings"),
        "litellm.litellm_core_utils.streaming_handler",
    ),
}
"""Rows in `otel_llmcost.adapters` → the modules whose import they wait for; loading the rows is not for the start."""


def _patch(entries: Any, module: ModuleType) -> Iterator[tuple[Any, str]]:
    """Stand around the functions of one module."""
    for entry in entries:
        if entry.module != module.__name__:
            continue
        owner, name = owner_of(entry.name, module)
        held: dict[str, Any] = getattr(
            owner, "__dict__", {}
        )  # not what a class has from another: that is wrapped there
        function = held.get(name)
        if function is not None and not isinstance(getattr(function, "_self_wrapper", None), _wrapper("brokered")):
            wrapper = _wrapper("native" if entry.part == "natives" else "brokered")
            wrapt.wrap_function_wrapper(owner, name, wrapper(entry))
            yield owner, name


def _wrapper(module: str) -> Any:
    """Load a wrapper, with all it needs."""
    found = import_module(f"otel_llmcost.instrumentation.{module}")
    return found.NativeWrapper if module == "native" else found.BrokerWrapper


_waiting = Waiting(BROKERS, "ENTRIES", _patch)
wait, remove, patch = _waiting.wait, _waiting.remove, _waiting.patch
