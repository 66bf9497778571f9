"""What `doctor` says of agent frameworks: which are here, and whether their agents will be known by their names."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from otel_llmcost.adapters.frameworks import Hook
from otel_llmcost.cli import installed
from otel_llmcost.cli.checks import Check
from otel_llmcost.cli.tools import Tools
from otel_llmcost.instrumentation.frameworks import FRAMEWORKS

_ADAPTERS = "otel_llmcost.adapters"
_SLIM = "-slim"
"""Ends the name of a distribution that holds all of the code of another."""


def frameworks(_tools: Tools) -> Iterator[Check]:
    """Tell of which frameworks agents name themselves. They are looked at, not imported."""
    hooks: dict[str, list[Hook]] = {}
    for rows in FRAMEWORKS:
        for hook in import_module(f"{_ADAPTERS}.{rows}").HOOKS:
            hooks.setdefault(hook.framework, []).append(hook)
    checks = [check for name, each in hooks.items() if (check := _framework(name, each)) is not None]
    yield from checks or [Check("note", f"none of {', '.join(hooks)} is installed here")]


def _framework(name: str, hooks: list[Hook]) -> Check | None:
    package = installed.found(name, name + _SLIM)
    if package is None:
        return None
    facts = {"framework": name, "version": package.version}
    for hook in hooks:
        if not hook.is_optional and not installed.mentions(package, hook.module, hook.name):
            text = f"{name} {package.version} has no {hook.module}.{hook.name}: its agents may go unnamed"
            return Check("warning", text, facts)
    return Check("ok", f"{name} {package.version}: its agents are known by their names, without any code", facts)
