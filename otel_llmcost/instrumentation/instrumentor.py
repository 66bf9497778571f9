"""Where it all begins: found by `opentelemetry-instrument`, or called by hand. Never raises into the host."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.instrumentation.utils import unwrap

from otel_llmcost.adapters import SDKS
from otel_llmcost.adapters.base import ClientSdk
from otel_llmcost.config import Settings, load
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, logger
from otel_llmcost.instrumentation.tracing import Tracing

_NAME = "llmcost"
_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


class LLMCostInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Our entry in the group `opentelemetry_instrumentor`."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Name no SDK: each is patched when the program imports it, if it ever does."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        with contained("start"):
            install(kwargs.get("settings"))

    def _uninstrument(self, **_kwargs: Any) -> None:
        with contained("stop"):
            remove()


def pre_instrument() -> None:
    """Hook our wrappers up before any other instrumentor, so that they are the innermost ones."""
    with contained("start"):
        if not {_NAME, "*"} & {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}:
            install()


def instrument(settings: Settings | None = None) -> None:
    """Start accounting and enforcement in this process; doing it again changes nothing.

    Call it after the program has set its tracer and meter providers, if it sets any.

    Args:
        settings: None: from the environment and `llmcost.toml`.
    """
    LLMCostInstrumentor().instrument(settings=settings)


def uninstrument() -> None:
    """Stop accounting and enforcement, after writing what is still to be written."""
    LLMCostInstrumentor().uninstrument()


def install(settings: Settings | None = None) -> None:
    """Read the settings and wait for the SDKs; the second of two hooks finds the work of the first."""
    if state.settings is not None:
        return
    found = settings or load(os.environ, cwd=Path.cwd(), home=Path.home())
    _tell(found)
    if found.disabled:
        return
    state.settings, state.tracing = found, Tracing.start(found)
    for sdk in SDKS:
        wrapt.register_post_import_hook(partial(_patch, sdk), sdk.module)


def remove() -> None:
    """Take everything back."""
    for owner, name in chain.from_iterable(state.patched.values()):
        unwrap(owner, name)
    state.patched.clear()
    if state.runtime is not None:
        state.runtime.close()
    if state.tracing is not None:
        state.tracing.stop()
    state.runtime = state.tracing = state.settings = None


def _patch(sdk: ClientSdk, module: ModuleType) -> None:
    with contained(f"patch {sdk.name}"):
        if state.settings is None or state.tracing is None or sdk.name in state.patched:
            return
        runtime = import_module("otel_llmcost.instrumentation.runtime")  # asyncio, sqlite3 and prices: not at start-up
        if state.runtime is None:
            state.runtime = runtime.Runtime.start(state.settings, state.tracing)
        state.patched[sdk.name] = []
        for method, is_async in ((sdk.sync_method, False), (sdk.async_method, True)):
            base, _, name = method.partition(".")
            for owner in _owners(getattr(module, base), name):
                wrapt.wrap_function_wrapper(owner, name, runtime.wrapper(sdk, is_async=is_async))
                state.patched[sdk.name].append((owner, name))


def _owners(base: type[Any], name: str) -> list[type[Any]]:
    """Return who has the method: whoever patched a subclass before us took a copy of it that does not know us."""
    heirs = [heir for each in base.__subclasses__() for heir in _owners(each, name)]
    return [base, *heirs] if name in vars(base) else heirs


def _tell(settings: Settings) -> None:
    if settings.log_level:
        logger.setLevel(settings.log_level.upper())
    for problem in settings.problems:
        logger.error("%s", problem)
    for notice in settings.notices:
        logger.warning("%s", notice)
