"""Waits for agent frameworks, to learn from each which of its agents is at work."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, logger

FRAMEWORKS: dict[str, tuple[str, ...]] = {
    "framework_adk": ("google.adk.runners", "google.adk.agents.base_agent", "google.adk.workflow._base_node"),
    "framework_autogen": (
        "autogen_core._base_agent",
        "autogen_agentchat.teams._group_chat._base_group_chat",
        "autogen_agentchat.agents._base_chat_agent",
        "autogen_agentchat.agents._assistant_agent",
    ),
    "framework_crewai": ("crewai.crew", "crewai.flow.flow", "crewai.task", "crewai.agent", "crewai.lite_agent"),
    "framework_langgraph": (
        "langchain_core.language_models.chat_models",
        "langgraph.pregel.main",
        "langgraph.pregel._runner",
    ),
    "framework_llama_index": ("workflows.workflow", "llama_index.core.agent.workflow.multi_agent_workflow"),
    "framework_openai_agents": ("agents.run", "agents.run_internal.run_loop"),
    "framework_pydantic_ai": ("pydantic_ai._agent_graph",),
    "framework_smolagents": ("smolagents.agents",),
}
"""Rows in `otel_llmcost.adapters` → the modules whose import they wait for; loading the rows is not for the start."""

_patched: list[tuple[Any, str]] = []


def wait() -> None:
    """Stand by for the import of a framework."""
    for rows, modules in FRAMEWORKS.items():
        for module in modules:
            wrapt.register_post_import_hook(partial(_imported, rows), module)


def remove() -> None:
    """Take everything back."""
    for owner, name in _patched:
        unwrap(owner, name)
    _patched.clear()


def _imported(rows: str, module: ModuleType) -> None:
    with contained(f"patch {module.__name__}"):
        if state.is_installed and not state.is_disabled:
            patch(import_module(f"otel_llmcost.adapters.{rows}").HOOKS, module)


def patch(hooks: Any, module: ModuleType) -> None:
    """Stand around the methods of one module."""
    wrapper = import_module("otel_llmcost.instrumentation.frames").FrameWrapper
    for hook in hooks:
        if hook.module != module.__name__:
            continue
        path, _, attribute = hook.name.rpartition(".")
        owner = getattr(module, path, None) if path else module
        method = getattr(owner, attribute, None)
        if method is None:
            if not hook.is_optional:
                logger.warning("this %s has no %s: its agents may go unnamed", hook.framework, hook.name)
        elif not isinstance(getattr(method, "_self_wrapper", None), wrapper):  # imported by name from a patched module
            wrapt.wrap_function_wrapper(owner, attribute, wrapper(hook))
            _patched.append((owner, attribute))
