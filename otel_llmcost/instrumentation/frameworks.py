"""Waits for agent frameworks, to learn from each which of its agents is at work."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from otel_llmcost.instrumentation.contain import logger
from otel_llmcost.instrumentation.waiting import Waiting, owner_of

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


def _patch(hooks: Any, module: ModuleType) -> Iterator[tuple[Any, str]]:
    """Stand around the methods of one module."""
    wrapper = import_module("otel_llmcost.instrumentation.frames").FrameWrapper
    for hook in hooks:
        if hook.module != module.__name__:
            continue
        owner, attribute = owner_of(hook.name, module)
        method = getattr(owner, attribute, None)
        if method is None:
            if not hook.is_optional:
                logger.warning("this %s has no %s: its agents may go unnamed", hook.framework, hook.name)
        elif not isinstance(getattr(method, "_self_wrapper", None), wrapper):  # imported by name from a patched module
            wrapt.wrap_function_wrapper(owner, attribute, wrapper(hook))
            yield owner, attribute


_waiting = Waiting(FRAMEWORKS, "HOOKS", _patch)
wait, remove, patch = _waiting.wait, _waiting.remove, _waiting.patch
