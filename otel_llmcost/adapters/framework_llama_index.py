"""llama-index-core 0.12 to 0.14: agents, teams of agents that hand over to one another, and workflows around them."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, FrameOf, Hook, argument, first_text

_AGENTS = "llama_index.core.agent.workflow"
_UNNAMED_AGENT = "Agent"
"""What the framework calls an agent that its author did not name."""


def _workflow(workflow: Any, _args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Name a workflow by its class, if that is the author's own; an agent is a workflow too, and calls itself agent."""
    session = _session(kwargs.get("start_event"))
    said = first_text(workflow, "_workflow_name")
    if hasattr(workflow, "take_step"):
        name = first_text(workflow, "name")
        return Frame(agent=name, is_default=name == _UNNAMED_AGENT, workflow=said, session=session)
    is_ready_made = type(workflow).__module__.startswith("llama_index.core.")
    return Frame(workflow=said or (None if is_ready_made else type(workflow).__name__), session=session)


def _session(start: Any) -> str | None:
    """Return the id of the memory that the agent goes on with, as the author gave or made it."""
    memory = start.get("memory", None) if hasattr(start, "get") else None
    return first_text(memory, "session_id")


def _step(_team: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Take the agent whose turn it is from the event that a step answers."""
    return _turn_of(first_text(argument(args, kwargs, 1, "ev"), "current_agent_name"))


def _tool(_team: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Take it from the team's state: the events of tools do not say."""
    store = argument(args, kwargs, 0, "ctx").store
    return _turn_of(first_text({"name": _at_once(store.get("current_agent_name", default=None))}, "name"))


def _turn_of(name: str | None) -> Frame:
    return Frame(agent=name, is_default=name == _UNNAMED_AGENT)


def _at_once(read: Coroutine[Any, Any, Any]) -> Any:
    """Return what a read gives without waiting, as those from memory do; None: it would wait."""
    try:
        read.send(None)
    except StopIteration as found:
        return found.value
    finally:
        read.close()
    return None


def _team_hook(name: str, frame: FrameOf) -> Hook:
    return Hook(
        framework="llama-index-core",
        module=f"{_AGENTS}.multi_agent_workflow",
        name=f"AgentWorkflow.{name}",
        kind="coroutine",
        frame=frame,
    )


HOOKS = (
    Hook(
        framework="llama-index-workflows",
        module="workflows.workflow",
        name="Workflow.run",
        kind="call",
        frame=_workflow,
    ),
    _team_hook("run_agent_step", _step),
    _team_hook("parse_agent_output", _step),
    _team_hook("call_tool", _tool),
    _team_hook("aggregate_tool_results", _tool),
)
