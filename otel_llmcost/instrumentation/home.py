"""Whom work is for stays at home: whatever is asked of a provider, paid for or not, none of our baggage goes along.

A paid call is sent in a context without our keys anyway. This is for the rest of what an SDK sends (models, files,
batches), and for headers that were written before we are asked: by an SDK itself, or by others around `requests`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import guard
from otel_llmcost.instrumentation.hops import around
from otel_llmcost.telemetry import baggage

HEADER = "baggage"
_MADE_FOR_AN_API = ("x-stainless-lang", "x-fern-language", "x-goog-api-client")
"""Headers that only SDKs send; on a host that nobody knows, they tell that it stands in for a provider."""


class _Outgoing(NamedTuple):
    netloc: str
    headers: MutableMapping[str, str]
    is_for_provider: bool = False
    """Known without either."""


Read = Callable[[Any, tuple[Any, ...], dict[str, Any]], _Outgoing]


class AtHome:
    """Stands around a method of an HTTP client that all its requests pass, inside of whatever accounts for them."""

    def __init__(self, read: Read, *, is_async: bool, is_written_before: bool = False) -> None:
        self._read = read
        self._is_async = is_async
        self._is_written_before = is_written_before
        """Others write the header of a paid call before it is accounted for."""

    def __call__(self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send a request."""
        ctx: Context | None = None
        try:
            if state.is_installed and not state.is_disabled:
                ctx = self._context(client, args, kwargs)
        except Exception as error:  # noqa: BLE001 -- ours; the request goes out as it is
            guard("keep attribution from a provider", error)
        if ctx is None:
            return wrapped(*args, **kwargs)
        send = _asend if self._is_async else _send
        return send(ctx, wrapped, args, kwargs)

    def _context(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Context | None:
        """Return the context to send in, after clearing the header; None: nothing of ours would go to a provider."""
        current = otel_context.get_current()
        is_accounted = self._is_written_before and _is_accounted(current)
        if not is_accounted and not baggage.tags(current):
            return None
        outgoing = self._read(client, args, kwargs)
        if not is_accounted and not _is_for_provider(outgoing):
            return None
        _clear(outgoing.headers)
        return baggage.with_only({}, current)


def _clear(headers: MutableMapping[str, str]) -> None:
    header = headers.get(HEADER)
    if header:
        rest = baggage.others_of_header(header)
        if rest:
            headers[HEADER] = rest
        else:
            del headers[HEADER]


def _is_accounted(current: Context) -> bool:
    """Tell whether a paid call is under way; without what marks those, none is."""
    spans = sys.modules.get("otel_llmcost.telemetry.spans")
    return spans is not None and spans.call_under_way(current) is not None


def _is_for_provider(outgoing: _Outgoing) -> bool:
    """Tell whether a provider gets a request; what tells that is loaded for the first that would carry anything."""
    headers = outgoing.headers
    if outgoing.is_for_provider or any(name in headers for name in _MADE_FOR_AN_API):
        return True
    directory = import_module("otel_llmcost.adapters.directory")
    known: Any = import_module("otel_llmcost.adapters").DIRECTORY
    host = outgoing.netloc.rpartition("@")[2].lower()
    return bool(known.is_provider(host, directory.agent_of(headers)))


def _send(ctx: Context, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = otel_context.attach(ctx)
    try:
        return wrapped(*args, **kwargs)
    finally:
        otel_context.detach(token)


async def _asend(ctx: Context, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = otel_context.attach(ctx)
    try:
        return await wrapped(*args, **kwargs)
    finally:
        otel_context.detach(token)


def _of_httpx(_client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Outgoing:
    request = args[0] if args else kwargs["request"]
    return _Outgoing(request.url.netloc.decode("ascii", "replace"), request.headers)


def _of_requests(_client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Outgoing:
    request = args[0] if args else kwargs["request"]
    return _Outgoing(urlsplit(str(request.url)).netloc, request.headers)


def _of_aiohttp(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Outgoing:
    parts = urlsplit(str(args[1] if len(args) > 1 else kwargs["str_or_url"]))
    netloc = parts.netloc or urlsplit(str(getattr(client, "_base_url", None) or "")).netloc
    named = {str(name).lower(): str(value) for name, value in dict(kwargs.get("headers") or {}).items()}
    return _Outgoing(netloc, {name: value for name, value in named.items() if name != HEADER})  # written by the caller


def _of_botocore(client: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> _Outgoing:
    """Only Bedrock is a provider; what is asked of queues and functions has to carry baggage."""
    return _Outgoing("", {}, client.meta.service_model.service_name.startswith("bedrock"))


def _of_httpx_module(module: Any) -> list[Callable[[], None]]:
    return [
        *around(module.Client, ("send",), AtHome(_of_httpx, is_async=False)),
        *around(module.AsyncClient, ("send",), AtHome(_of_httpx, is_async=True)),
    ]


JOIN: Mapping[str, Callable[[Any], list[Callable[[], None]]]] = {
    "httpx": _of_httpx_module,
    "httpx2": _of_httpx_module,
    "requests": lambda module: around(
        module.Session, ("send",), AtHome(_of_requests, is_async=False, is_written_before=True)
    ),
    "aiohttp": lambda module: around(module.ClientSession, ("_request",), AtHome(_of_aiohttp, is_async=True)),
    "botocore.client": lambda module: around(
        module.BaseClient, ("_make_request",), AtHome(_of_botocore, is_async=False)
    ),
    "aiobotocore.client": lambda module: around(
        module.AioBaseClient, ("_make_request",), AtHome(_of_botocore, is_async=True)
    ),
}
"""Module → what to do when it is imported; it returns what takes that back."""
