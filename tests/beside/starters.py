"""Those who are started by functions of their own, as instrumentors."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any


class Logfire:
    """`logfire.configure`, which takes the place of the tracer provider, has been called before."""

    def instrument(self) -> None:
        """Stand around the clients it knows."""
        logfire: Any = import_module("logfire")
        logfire.instrument_openai()
        logfire.instrument_anthropic()


class Openlit:
    """Finds out itself what there is to instrument."""

    def instrument(self) -> None:
        """Start it, with no prices, which it would fetch."""
        openlit: Any = import_module("openlit")
        others = ["httpx", "requests", "urllib", "urllib3", "aiohttp-client", "litellm"]
        openlit.init(pricing_json=os.devnull, disable_metrics=True, disable_events=True, disabled_instrumentors=others)
