"""Pydantic AI 2: each step of an agent's graph knows its agent.

`Agent.run` and `Agent.iter` are left alone: to name an agent after its variable they count frames up to their caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, Hook, Kind, argument, first_text


def _step(_instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame:
    ctx = argument(args, kwargs, 0, "ctx")
    return Frame(
        agent=first_text(getattr(ctx.deps, "agent", None), "name"),
        session=first_text(ctx.state, "conversation_id"),
        user=first_text(ctx.deps.user_deps, "user_id") or first_text(getattr(ctx.state, "metadata", None), "user_id"),
    )


def _hook(name: str, kind: Kind) -> Hook:
    return Hook(framework="pydantic-ai", module="pydantic_ai._agent_graph", name=name, kind=kind, frame=_step)


HOOKS = (
    _hook("UserPromptNode.run", "coroutine"),
    _hook("ModelRequestNode.run", "coroutine"),
    _hook("ModelRequestNode.stream", "async_context"),
    _hook("CallToolsNode.run", "coroutine"),
    _hook("CallToolsNode.stream", "async_context"),
)
