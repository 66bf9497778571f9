"""Where it all begins: found by `opentelemetry-instrument`, or called by hand. Never raises into the host."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from importlib import import_module
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.instrumentation.utils import unwrap

from otel_llmcost.instrumentation import brokers, frameworks, hops, state
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.gate import stand_around

if TYPE_CHECKING:
    from otel_llmcost.config import Settings

SDK_MODULES = {
    "openai": "openai._base_client",
    "anthropic": "anthropic._base_client",
    "groq": "groq._base_client",
    "together": "together._base_client",
    "cerebras": "cerebras.cloud.sdk._base_client",
    "google-interactions": "google.genai._interactions._base_client",
}
"""SDK → the module whose import we wait for, as the adapters' rows have it; loading those is not for the start."""

HTTP_MODULES = (
    *("httpx", "httpx2", "requests", "aiohttp"),
    *("botocore.client", "botocore.httpsession", "aiobotocore.client"),
)
"""HTTP clients below all other SDKs."""

SESSION_MODULES = (
    *("openai.resources.realtime.realtime", "openai.resources.beta.realtime.realtime"),
    "openai.resources.responses.responses",
)
"""Where connections are made on which many answers come."""

LIVE_MODULE = "google.genai.live"
"""The same, with methods of its own for what is sent."""

STARTING_MODULES = (
    "google.genai", "mistralai", "cohere", "ollama", "huggingface_hub.inference._client", "litellm", "openrouter"
)  # fmt: skip
"""SDKs that go through those: their import starts our parts, so that the first call finds them there."""

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
    """Wait for the SDKs; the second of two hooks finds the work of the first.

    Nothing is read or built before the first SDK is imported: a program without one pays next to nothing for us.
    """
    if state.is_installed:
        return
    state.is_installed, state.given = True, settings
    hops.wait()  # first, to stand inside of what accounts for requests
    for name, module in SDK_MODULES.items():
        wrapt.register_post_import_hook(partial(_imported, name), module)
    for name in HTTP_MODULES:
        wrapt.register_post_import_hook(partial(_imported_http, name), name)
    for name in SESSION_MODULES:
        wrapt.register_post_import_hook(_imported_session, name)
    wrapt.register_post_import_hook(_imported_live, LIVE_MODULE)
    for name in STARTING_MODULES:
        wrapt.register_post_import_hook(_imported_user, name)
    frameworks.wait()
    brokers.wait()


def remove() -> None:
    """Take everything back."""
    frameworks.remove()
    brokers.remove()
    for owner, name in chain.from_iterable(state.patched.values()):
        unwrap(owner, name)
    state.patched.clear()
    hops.remove()
    if state.runtime is not None:
        state.runtime.close()
    if state.tracing is not None:
        state.tracing.stop()
    state.runtime = state.tracing = state.given = None
    state.is_installed = state.is_disabled = False


def _imported(name: str, module: ModuleType) -> None:
    with contained(f"patch {name}"):
        if state.is_installed and not state.is_disabled and name not in state.patched:
            import_module("otel_llmcost.instrumentation.patching").patch(name, module)


def _imported_http(name: str, module: ModuleType) -> None:
    with contained(f"patch {name}"):
        if state.is_installed and name not in state.patched:
            stand_around(name, module)


def _imported_user(_module: ModuleType) -> None:
    with contained("start"):
        if state.is_installed:
            import_module("otel_llmcost.instrumentation.patching").start()


def _imported_session(module: ModuleType) -> None:
    with contained(f"patch {module.__name__}"):
        if state.is_installed and not state.is_disabled and module.__name__ not in state.patched:
            import_module("otel_llmcost.instrumentation.sessions").patch(module)


def _imported_live(module: ModuleType) -> None:
    with contained(f"patch {module.__name__}"):
        if state.is_installed and not state.is_disabled and module.__name__ not in state.patched:
            import_module("otel_llmcost.instrumentation.live").patch(module)
