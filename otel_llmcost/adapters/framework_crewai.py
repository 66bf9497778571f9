"""crewai 1: crews, flows, and agents on their own; an agent is called by its role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, FrameOf, Hook, Kind, argument, first_text, text

_UNNAMED_CREW = "crew"
"""What the framework calls a crew that its author did not name."""


def _crew(crew: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    name = first_text(crew, "name")
    return None if name in (None, _UNNAMED_CREW) else Frame(workflow=name)


def _flow(flow: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Take the state's id, by which a flow goes on with what it has kept, and a conversation with its next turn."""
    if type(flow).__module__.startswith("crewai."):  # it runs its agents, and writes its memory, by flows of its own
        return None
    inputs = argument(args, kwargs, 0, "inputs")
    session = first_text(inputs, "id") if isinstance(inputs, Mapping) else None
    return Frame(workflow=first_text(flow, "name") or type(flow).__name__, session=session)


def _resumed_flow(flow: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    return Frame(workflow=first_text(flow, "name") or type(flow).__name__, session=first_text(flow, "flow_id"))


def _task(task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Take the agent at work, which in a crew with a manager is not the task's own; its checks and forms count too."""
    return Frame(agent=_role(argument(args, kwargs, 0, "agent") or task.agent))


def _agent(agent: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    return Frame(agent=_role(agent))


def _role(agent: Any) -> str | None:
    """Return the role on one line: those of YAML files end in a line break."""
    role = text(getattr(agent, "role", None))
    return " ".join(role.split()) if role else None


def _hook(module: str, name: str, kind: Kind, frame: FrameOf, *, is_optional: bool = False) -> Hook:
    return Hook(
        framework="crewai", module=f"crewai.{module}", name=name, kind=kind, frame=frame, is_optional=is_optional
    )


HOOKS = (
    _hook("crew", "Crew.kickoff", "call", _crew),
    _hook("crew", "Crew.akickoff", "coroutine", _crew, is_optional=True),
    _hook("flow.flow", "Flow.kickoff_async", "coroutine", _flow),
    _hook("flow.flow", "Flow.resume_async", "coroutine", _resumed_flow, is_optional=True),
    _hook("task", "Task._execute_core", "call", _task),
    _hook("task", "Task._aexecute_core", "coroutine", _task, is_optional=True),
    _hook("agent", "Agent.execute_task", "call", _agent),
    _hook("agent", "Agent.aexecute_task", "coroutine", _agent, is_optional=True),
    _hook("agent", "Agent.kickoff", "call", _agent),
    _hook("agent", "Agent.kickoff_async", "coroutine", _agent),
    _hook("lite_agent", "LiteAgent.kickoff", "call", _agent),
)
