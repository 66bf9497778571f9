"""A context that is entered step by step, as that of a generator."""

from __future__ import annotations

from contextvars import Token

from opentelemetry import context
from opentelemetry.context import Context


class Steps:
    """Holds for one step after another; what a step leaves attached, such as a span, is there again in the next."""

    __slots__ = ("_ctx", "_token")

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._token: Token[Context]

    def __enter__(self) -> None:
        self._token = context.attach(self._ctx)

    def __exit__(self, *_: object) -> None:
        self._ctx = context.get_current()
        context.detach(self._token)
