"""Waits for what hands work over to other processes and to pools, so that who it is for goes along, and stays at home.

What OpenTelemetry's own instrumentations carry is theirs; docs/context.md has both.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained

HOPS = {
    "threading": "handover",
    "concurrent.futures.thread": "handover",
    "multiprocessing.process": "handover",
    "multiprocessing.pool": "handover",
    "concurrent.futures.process": "handover",
    "httpx": "home",
    "httpx2": "home",
    "requests": "home",
    "aiohttp": "home",
    "botocore.client": "home",
    "aiobotocore.client": "home",
    "werkzeug.wrappers.response": "answers",
    "django.http.response": "answers",
    "rq.job": "jobs",
    "celery.signals": "jobs",
    "autogen_core._single_threaded_agent_runtime": "messages",
}
"""A module whose import we wait for → which of ours knows what to do then; loading that is not for the start."""

_undo: dict[str, list[Callable[[], None]]] = {}
"""Of the modules that were imported."""


def wait() -> None:
    """Stand by for their import."""
    for module in HOPS:
        wrapt.register_post_import_hook(_imported, module)


def remove() -> None:
    """Take everything back."""
    while _undo:
        for undo in _undo.popitem()[1]:
            undo()


def _imported(module: ModuleType) -> None:
    name = module.__name__
    with contained(f"carry attribution through {name}"):
        if state.is_installed and not state.is_disabled and name not in _undo:
            _undo[name] = import_module(f"otel_llmcost.instrumentation.{HOPS[name]}").JOIN[name](module)


def around(owner: type[Any], names: tuple[str, ...], wrapper: Callable[..., Any]) -> list[Callable[[], None]]:
    """Stand around methods of a class, as many as it has of them; return what takes each back."""
    return [_around(owner, name, wrapper) for name in names if name in vars(owner)]


def _around(owner: type[Any], name: str, wrapper: Callable[..., Any]) -> Callable[[], None]:
    before: Any = vars(owner)[name]
    setattr(owner, name, wrapt.FunctionWrapper(before, wrapper))

    def undo() -> None:
        # Others who stood around us and left put us back in another form; those who still do are left alone.
        if getattr(vars(owner).get(name), "_self_wrapper", None) is wrapper:
            setattr(owner, name, before)

    return undo
