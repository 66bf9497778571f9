"""How text is counted before it is sent: by the cheap rule, or by tiktoken where that was asked for."""

from __future__ import annotations

import asyncio
import threading

from otel_llmcost import tokens
from otel_llmcost.core.tokens import CountText, text_tokens
from otel_llmcost.instrumentation.contain import contained


class ExactCounting:
    """Counts by tiktoken. Its table takes a third of a second to make, so never on an event loop's thread.

    A call made there before the table is ready is counted by the rule, while another thread makes it.
    """

    def __init__(self) -> None:
        self._under_way: set[str] = set()

    def __call__(self, model: str) -> CountText:
        """Return what counts a text for a model."""
        if tokens.ready(model):
            return tokens.text_counter(model)
        if not _on_event_loop():
            tokens.warm(model)
            return tokens.text_counter(model)
        if model not in self._under_way:
            self._under_way.add(model)
            threading.Thread(target=_warm, args=(model,), name="llmcost-tokens", daemon=True).start()
        return text_tokens


def _warm(model: str) -> None:
    with contained("load a table of tokens"):
        tokens.warm(model)


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def by_rule(_model: str) -> CountText:
    """Return the cheap rule."""
    return text_tokens
