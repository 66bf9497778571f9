"""OpenAI Agents SDK: each turn is its agent's; handoffs change the agent from turn to turn."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, Hook, argument, first_text

_UNNAMED = frozenset({"Agent workflow", "no-op"})
"""What the framework calls a workflow that the program gave no name, and one whose trace is switched off."""


def _run(_instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame:
    """Name the agent that starts: guardrails and session stores work outside its turns."""
    config, session = kwargs.get("run_config"), kwargs.get("session")
    trace = _current_trace()
    return Frame(
        agent=first_text(argument(args, kwargs, 0, "starting_agent"), "name"),
        workflow=_named(first_text(trace, "name")) or _named(first_text(config, "workflow_name")),
        session=(
            first_text(kwargs, "conversation_id")
            or first_text(session, "session_id")
            or first_text(config, "group_id")
            or first_text(trace, "group_id")
        ),
        user=first_text(kwargs.get("context"), "user_id")
        or first_text(getattr(config, "trace_metadata", None), "user_id")
        or first_text(getattr(trace, "metadata", None), "user_id"),
    )


def _turn(_instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame:
    return Frame(agent=first_text(argument(args, kwargs, 1, "bindings").public_agent, "name"))


def _current_trace() -> Any:
    scope: Any = sys.modules["agents.tracing.scope"]
    return scope.Scope.get_current_trace()


def _named(workflow: str | None) -> str | None:
    return None if workflow in _UNNAMED else workflow


_NAME = "openai-agents"
HOOKS = (
    Hook(framework=_NAME, module="agents.run", name="AgentRunner.run", kind="coroutine", frame=_run),
    Hook(framework=_NAME, module="agents.run", name="AgentRunner.run_streamed", kind="call", frame=_run),
    Hook(framework=_NAME, module="agents.run", name="run_single_turn", kind="coroutine", frame=_turn),
    Hook(
        framework=_NAME,
        module="agents.run_internal.run_loop",
        name="run_single_turn_streamed",
        kind="coroutine",
        frame=_turn,
    ),
)
