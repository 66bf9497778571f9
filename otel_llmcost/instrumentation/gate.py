"""The gate before the wrappers of HTTP clients: lets everything pass at once that cannot be a paid call.

Loaded with any HTTP client, so it knows but a few words; what it stops is looked at by `http`, which is loaded, with
all it needs, for the first request that is stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from otel_llmcost.instrumentation import state

PAID = re.compile(
    rb"/(?:chat|generate|completions?|responses|messages|compact|embed\w*|rerank|converse(?:-stream)?"
    rb"|invoke(?:-with-response-stream)?|ocr|speech|transcriptions|translations|generations|edits|variations"
    rb"|conversations|conversations/[^/?]+|interactions|moderations|classifications|feature-extraction)/?(?:\?|$)"
    rb"|:(?:\w*generateContent|\w*[pP]redict|\w*[eE]mbedContents?|rawPredict|streamRawPredict)(?:\?|$)"
)
"""Ends of paths that may be paid for."""

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


def stand_around(name: str, module: ModuleType) -> None:
    """Stand around `send` of both clients of httpx, or of its successor."""
    state.patched[name] = []
    for owner, is_async in ((module.Client, False), (module.AsyncClient, True)):
        wrapt.wrap_function_wrapper(owner, "send", gate("httpx", is_async=is_async))
        state.patched[name].append((owner, "send"))


def gate(kind: str, *, is_async: bool) -> Wrapper:
    """Make the gate before one method; what stands behind it is made when it first opens."""
    behind: list[Wrapper] = []

    def stop_or_pass(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        request: Any = args[0] if args else kwargs.get("request")
        if getattr(request, "method", "") != "POST" or not PAID.search(request.url.raw_path):
            return wrapped(*args, **kwargs)
        if not behind:
            behind.append(open_gate(kind, is_async=is_async))
        return behind[0](wrapped, instance, args, kwargs)

    return stop_or_pass


def open_gate(kind: str, *, is_async: bool) -> Wrapper:
    """Load what a paid call needs."""
    wrapper: Wrapper = import_module("otel_llmcost.instrumentation.patching").http_wrapper(kind, is_async=is_async)
    return wrapper
