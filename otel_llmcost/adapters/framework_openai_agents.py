"""OpenAI Agents SDK 0.3 to 0.24: each turn is its agent's; handoffs change the agent from turn to turn."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, FrameOf, Hook, Kind, argument, first_text

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
    """Name whose turn it is; what is passed was the agent itself before it was bound to another that stands in."""
    bound = kwargs.get("agent") or argument(args, kwargs, 1, "bindings")
    return Frame(agent=first_text(getattr(bound, "public_agent", bound), "name"))


def _current_trace() -> Any:
    scope: Any = sys.modules["agents.tracing.scope"]
    return scope.Scope.get_current_trace()


def _named(workflow: str | None) -> str | None:
    return None if workflow in _UNNAMED else workflow


def _hook(module: str, name: str, kind: Kind, frame: FrameOf, *, is_optional: bool = False) -> Hook:
    return Hook(framework="openai-agents", module=module, name=name, kind=kind, frame=frame, is_optional=is_optional)


HOOKS = (
    _hook("agents.run", "AgentRunner.run", "coroutine", _run),
    _hook("agents.run", "AgentRunner.run_streamed", "call", _run),
    _hook("agents.run_internal.run_loop", "run_single_turn", "coroutine", _turn),
    _hook("agents.run_internal.run_loop", "run_single_turn_streamed", "coroutine", _turn),
    _hook("agents.run", "run_single_turn", "coroutine", _turn, is_optional=True),
    # before 0.8
    _hook("agents.run", "AgentRunner._run_single_turn", "coroutine", _turn, is_optional=True),
    _hook("agents.run", "AgentRunner._run_single_turn_streamed", "coroutine", _turn, is_optional=True),
)
