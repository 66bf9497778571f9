"""What happens when the program imports an SDK: settings are read, the parts are built, its methods are wrapped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

from otel_llmcost.adapters import SDKS
from otel_llmcost.config import Settings
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, logger
from otel_llmcost.instrumentation.http import HttpxWrapper
from otel_llmcost.instrumentation.over_aiohttp import AiohttpTransport
from otel_llmcost.instrumentation.over_botocore import AiobotocoreTransport, BotocoreSession, BotocoreTransport
from otel_llmcost.instrumentation.over_requests import RequestsTransport
from otel_llmcost.instrumentation.runtime import Runtime, driver, wrapper
from otel_llmcost.instrumentation.source import Source
from otel_llmcost.instrumentation.tracing import Tracing
from otel_llmcost.instrumentation.transports import Transport, TransportWrapper

_ROWS = {sdk.name: sdk for sdk in SDKS}
_TRANSPORTS: dict[str, Callable[[], Transport]] = {
    "requests": RequestsTransport,
    "aiohttp": AiohttpTransport,
    "botocore.client": BotocoreTransport,
    "botocore.httpsession": BotocoreSession,
    "aiobotocore.client": AiobotocoreTransport,
}


def patch(name: str, module: ModuleType) -> None:
    """Stand around the methods of an SDK's client; the first SDK starts everything else."""
    if not start():
        return
    sdk = _ROWS[name]
    state.patched[name] = []
    for method, is_async in ((sdk.sync_method, False), (sdk.async_method, True)):
        base, _, attribute = method.partition(".")
        for owner in _owners(getattr(module, base), attribute):
            wrapt.wrap_function_wrapper(owner, attribute, wrapper(sdk, is_async=is_async))
            state.patched[name].append((owner, attribute))


def http_wrapper(name: str, *, is_async: bool) -> Any:
    """Make what stands behind the gate of an HTTP client; the first paid call may start everything else."""
    with contained("start"):
        start()
    if name in _TRANSPORTS:
        return TransportWrapper(_TRANSPORTS[name](), driver)
    return HttpxWrapper(driver, is_async=is_async)


def start() -> bool:
    """Read the settings and build what they ask for, if nobody has; False: to do nothing."""
    if state.runtime is not None or state.is_disabled:
        return state.runtime is not None
    settings, source = state.given, None
    if settings is None:
        source = Source.of(os.environ, cwd=Path.cwd(), home=Path.home())
        settings = source.read()
    _tell(settings)
    if settings.disabled:
        state.is_disabled = True
        return False
    state.tracing = Tracing.start(settings)
    state.runtime = Runtime.start(settings, state.tracing, source)
    return True


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
