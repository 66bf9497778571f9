"""Google ADK 1 and 2: a runner knows the user and the session, an agent its name, however they are nested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, Hook, Kind, argument, first_text

_UNNAMED = frozenset({"InMemoryRunner"})


def _runner(instance: Any, _args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame:
    session = kwargs.get("session")
    app = first_text(instance, "app_name")
    return Frame(
        workflow=first_text(instance.agent, "name") if app in _UNNAMED else app,
        session=first_text(kwargs, "session_id") or first_text(session, "id"),
        user=first_text(kwargs, "user_id") or first_text(session, "user_id"),
    )


def _agent(instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame:
    session = getattr(argument(args, kwargs, 0, "parent_context"), "session", None)
    return Frame(
        agent=first_text(instance, "name"),
        session=first_text(session, "id"),
        user=first_text(session, "user_id"),
        is_whole=True,
    )


def _node(instance: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Name a workflow, and a step that is no agent: a function, which may call a model of its own accord."""
    kinds = {kind.__name__ for kind in type(instance).__mro__}
    name = first_text(instance, "name")
    if "Workflow" in kinds:
        return Frame(workflow=name)
    return None if "BaseAgent" in kinds else Frame(agent=name, is_part=True)


def _hook(module: str, name: str, kind: Kind, frame: Any, *, is_optional: bool = False) -> Hook:
    return Hook(framework="google-adk", module=module, name=name, kind=kind, frame=frame, is_optional=is_optional)


HOOKS = (
    _hook("google.adk.runners", "Runner.run_async", "async_generator", _runner),
    _hook("google.adk.runners", "Runner.run_live", "async_generator", _runner),
    _hook("google.adk.agents.base_agent", "BaseAgent.run_async", "async_generator", _agent),
    _hook("google.adk.agents.base_agent", "BaseAgent.run_live", "async_generator", _agent),
    _hook("google.adk.workflow._base_node", "BaseNode.run", "async_generator", _node, is_optional=True),
)
