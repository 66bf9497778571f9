"""The names by which we know others are those of the packages that are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from otel_llmcost.telemetry.foreign import FOREIGN_INSTRUMENTORS, FOREIGN_MARKS, FOREIGN_SCOPES
from tests.beside.teams import IS_OLDER, OTHERS

NOT_OF_MODELS = ("httpx", "requests", "urllib3", "aiohttp_client", "agents")


def _installed(*names: str) -> set[tuple[str, str]]:
    points = entry_points(group="opentelemetry_instrumentor")
    return {(point.module, point.attr) for point in points if point.name.replace("_", "-") in names}


def test_every_instrumentor_of_the_first_sdks_is_known() -> None:
    """One that ends its span before we could know of it, or begins it afterwards, would get a second one beside it."""
    installed = _installed("openai", "anthropic", "google-genai", "google-generativeai")

    assert len(installed) == (1 if IS_OLDER else 9)
    assert installed <= {name for names in FOREIGN_INSTRUMENTORS.values() for name in names}


def test_every_scope_is_known() -> None:
    """Spans of one that is not known would get no cost, and ours beside them."""
    modules = {path.partition(":")[0] for name in OTHERS if name not in ("logfire", "openlit") for path in OTHERS[name]}

    unknown = {module for module in modules if not module.startswith(FOREIGN_SCOPES)}

    assert {module for module in unknown if not module.endswith(NOT_OF_MODELS)} == {
        "opentelemetry.instrumentation.botocore"  # its spans of Bedrock have a longer name
    }


def test_logfire_leaves_its_mark() -> None:
    """It has no instrumentor that could be asked."""
    for module, name, mark in [] if IS_OLDER else list(_marks()):
        assert hasattr(getattr(import_module(module), name), mark)


def _marks() -> Iterator[tuple[str, str, str]]:
    logfire: Any = import_module("logfire")
    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
    with logfire.instrument_openai(), logfire.instrument_anthropic():
        yield from FOREIGN_MARKS.values()
