"""Queues of jobs: RQ, which no official instrumentation knows, and Celery where its own is not at work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from opentelemetry import context as otel_context

from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.hops import around
from otel_llmcost.telemetry import baggage

META = "llmcost.baggage"
"""Under this key an RQ job's `meta` says who it is for; a W3C `baggage` header with nothing but our keys."""
HEADER = "baggage"
"""The header of a Celery message, as the official instrumentation writes it."""

_TOKEN = "_llmcost_token"  # noqa: S105 -- an attribute's name
_UID = "otel_llmcost"


def _header() -> str:
    is_active = state.is_installed and not state.is_disabled
    return baggage.as_header(baggage.tags(otel_context.get_current())) if is_active else ""


def _create(wrapped: Callable[..., Any], _job_class: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make an RQ job that knows who it is for."""
    job = wrapped(*args, **kwargs)
    with contained("carry attribution in a job of RQ"):
        header = _header()
        if header:
            job.meta = {**job.meta, META: header}  # the caller's own dictionary stays as it is
    return job


def _perform(wrapped: Callable[..., Any], job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do an RQ job for them."""
    token: Any = None
    with contained("take over attribution from a job of RQ"):
        header = job.meta.get(META)
        if isinstance(header, str):
            token = otel_context.attach(baggage.with_only(baggage.from_header(header)))
    try:
        return wrapped(*args, **kwargs)
    finally:
        if token is not None:
            otel_context.detach(token)


def _before_publish(headers: MutableMapping[str, Any] | None = None, **_: Any) -> None:
    """Write who a Celery task is for into its message."""
    with contained("carry attribution in a Celery message"):
        header = _header()
        if header and headers is not None:
            headers.setdefault(HEADER, header)  # the official instrumentation's has more in it


def _before_task(task: Any = None, **_: Any) -> None:
    """Begin a Celery task as its message says; the request lives as long as the task's run."""
    with contained("take over attribution from a Celery message"):
        request = getattr(task, "request", None)
        header = getattr(request, HEADER, None)
        if isinstance(header, str) and not _is_carried_by_others():
            setattr(request, _TOKEN, otel_context.attach(baggage.with_only(baggage.from_header(header))))


def _after_task(task: Any = None, **_: Any) -> None:
    """End it."""
    with contained("end the attribution of a Celery task"):
        request = getattr(task, "request", None)
        token = getattr(request, _TOKEN, None)
        if token is not None:
            delattr(request, _TOKEN)
            otel_context.detach(token)


def _is_carried_by_others() -> bool:
    module = sys.modules.get("opentelemetry.instrumentation.celery")
    instance = getattr(getattr(module, "CeleryInstrumentor", None), "_instance", None)
    return bool(getattr(instance, "is_instrumented_by_opentelemetry", False))


def _join_rq(module: Any) -> list[Callable[[], None]]:
    return [*around(module.Job, ("create",), _create), *around(module.Job, ("perform",), _perform)]


def _join_celery(module: Any) -> list[Callable[[], None]]:
    receivers = (
        (module.before_task_publish, _before_publish),
        (module.task_prerun, _before_task),
        (module.task_postrun, _after_task),
    )

    def undo() -> None:
        for signal, _ in receivers:
            signal.disconnect(dispatch_uid=_UID)

    for signal, receiver in receivers:
        signal.connect(receiver, weak=False, dispatch_uid=_UID)
    return [undo]


JOIN: Mapping[str, Callable[[Any], list[Callable[[], None]]]] = {"rq.job": _join_rq, "celery.signals": _join_celery}
"""Module → what to do when it is imported; it returns what takes that back."""
