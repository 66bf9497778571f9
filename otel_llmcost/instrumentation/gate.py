"""The gate before the wrappers of HTTP clients: lets everything pass at once that cannot be a paid call.

Loaded with any HTTP client, so it knows but a few words; what it stops is looked at by `http`, which is loaded, with
all it needs, for the first request that is stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, guard

PAID = re.compile(
    rb"/(?:chat|generate|completions?|responses|messages|compact|embed\w*|rerank|converse(?:-stream)?"
    rb"|invoke(?:-with-response-stream)?|ocr|parse|classify|speech|transcriptions|translations|generations|edits|variations|videos"
    rb"|conversations(?:/[^/?]+){,2}|hf-inference/models/[^?]+|interactions|moderations|classifications|feature-extraction)/?(?:\?|$)"
    rb"|:(?:\w*[gG]enerateContent|\w*[pP]redict|\w*[eE]mbedContents?|rawPredict|streamRawPredict)(?:\?|$)"
)
"""Ends of paths that may be paid for."""

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]
Target = Callable[[tuple[Any, ...], dict[str, Any]], bytes]
"""What of a URL a method is to post to; empty: it posts nothing."""


def _httpx(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    request: Any = args[0] if args else kwargs.get("request")
    if getattr(request, "method", "") != "POST":
        return b""
    path: bytes = request.url.raw_path
    return path


def _requests(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    request: Any = args[0] if args else kwargs.get("request")
    if getattr(request, "method", "") != "POST":
        return b""
    return str(request.url).encode("utf-8", "replace")


def _aiohttp(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    method, url = (*args, None, None)[:2]
    if str(method or kwargs.get("method")).upper() != "POST":
        return b""
    return str(url or kwargs.get("str_or_url")).encode("utf-8", "replace")


def _botocore(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    operation: Any = args[0] if args else kwargs.get("operation_model")
    return _AMAZON.get(operation.name, b"")


_AMAZON = {
    "Converse": b"/converse",
    "ConverseStream": b"/converse-stream",
    "InvokeModel": b"/invoke",
    "InvokeModelWithResponseStream": b"/invoke-with-response-stream",
}
"""Operations of Amazon's services → how the path they post to ends."""

CLIENTS: Mapping[str, tuple[tuple[str, str, Target, bool], ...]] = {
    "httpx": (("Client", "send", _httpx, False), ("AsyncClient", "send", _httpx, True)),
    "httpx2": (("Client", "send", _httpx, False), ("AsyncClient", "send", _httpx, True)),
    "requests": (("Session", "send", _requests, False),),
    "aiohttp": (("ClientSession", "_request", _aiohttp, True),),
    "botocore.client": (("BaseClient", "_make_request", _botocore, False),),
    "botocore.httpsession": (("URLLib3Session", "send", _requests, False),),
    "aiobotocore.client": (("AioBaseClient", "_make_request", _botocore, True),),
}
"""HTTP client → its classes, the method all requests pass, how to see where they go, whether it is async."""

MAKERS: Mapping[str, tuple[str, str, str]] = {
    "botocore.client": ("ClientCreator", "create_client", "bedrock-runtime"),
    "aiobotocore.client": ("AioClientCreator", "create_client", "bedrock-runtime"),
}
"""SDK of many services → its class and method that makes a client, the service whose clients make paid calls."""


def stand_around(name: str, module: ModuleType) -> None:
    """Stand around the methods of an HTTP client that all requests pass."""
    state.patched[name] = []
    for owner, method, target, is_async in CLIENTS[name]:
        wrapt.wrap_function_wrapper(getattr(module, owner), method, gate(name, target, is_async=is_async))
        state.patched[name].append((getattr(module, owner), method))
    if name in MAKERS:
        owner, method, service = MAKERS[name]
        wrapt.wrap_function_wrapper(getattr(module, owner), method, _opening(name, service))
        state.patched[name].append((getattr(module, owner), method))


def _opening(name: str, service: str) -> Wrapper:
    """Load what paid calls need before the first one: others begin their spans of it before it comes to us."""

    def open_or_pass(wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with contained("start"):
            if (args[0] if args else kwargs.get("service_name")) == service:
                open_gate(name, is_async=False)
        return wrapped(*args, **kwargs)

    return open_or_pass


def gate(name: str, target: Target, *, is_async: bool) -> Wrapper:
    """Make the gate before one method; what stands behind it is made when it first opens."""
    behind: list[Wrapper] = []

    def stop_or_pass(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            is_paid = PAID.search(target(args, kwargs)) is not None
            if is_paid and not behind:
                behind.append(open_gate(name, is_async=is_async))
        except Exception as error:  # noqa: BLE001 -- ours; the request goes on unaccounted, and the log says so
            guard("look at a request", error)
            is_paid = False
        return behind[0](wrapped, instance, args, kwargs) if is_paid else wrapped(*args, **kwargs)

    return stop_or_pass


def open_gate(name: str, *, is_async: bool) -> Wrapper:
    """Load what a paid call needs."""
    wrapper: Wrapper = import_module("otel_llmcost.instrumentation.patching").http_wrapper(name, is_async=is_async)
    return wrapper
