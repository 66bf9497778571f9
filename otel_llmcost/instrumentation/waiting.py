"""Rows that wait for the modules of their library: they are loaded, and what they name is wrapped, at its import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained

Patch = Callable[[Any, ModuleType], Iterable[tuple[Any, str]]]
"""Wraps what rows name in a module; gives the owner and name of each that was wrapped."""


class Waiting:
    """Stands by for imports, and takes back what it patched."""

    def __init__(self, modules: Mapping[str, tuple[str, ...]], table: str, patch: Patch) -> None:
        """Prepare, without loading anything.

        Args:
            modules: module of rows in `otel_llmcost.adapters` → the modules whose import they wait for.
            table: name of the rows in there.
            patch: what is done then.
        """
        self._modules = modules
        self._table = table
        self._patch = patch
        self._patched: list[tuple[Any, str]] = []

    def wait(self) -> None:
        """Stand by."""
        for rows, modules in self._modules.items():
            for module in modules:
                wrapt.register_post_import_hook(partial(self._imported, rows), module)

    def remove(self) -> None:
        """Take everything back."""
        for owner, name in self._patched:
            unwrap(owner, name)
        self._patched.clear()

    def patch(self, rows: Any, module: ModuleType) -> None:
        """Wrap what these rows name in a module."""
        self._patched += self._patch(rows, module)

    def _imported(self, rows: str, module: ModuleType) -> None:
        with contained(f"patch {module.__name__}"):
            if state.is_installed and not state.is_disabled:
                self.patch(getattr(import_module(f"otel_llmcost.adapters.{rows}"), self._table), module)


def owner_of(name: str, module: ModuleType) -> tuple[Any, str]:
    """Find what holds a function of a module, by its dotted name; None: this version has no such class."""
    path, _, attribute = name.rpartition(".")
    return (getattr(module, path, None) if path else module), attribute
