"""autogen 0.4 to 0.7: teams and agents of its chat API, and whatever takes messages in the core below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, FrameOf, Hook, Kind, first_text

_CHAT = "autogen_agentchat"


def _agent(agent: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    return Frame(agent=first_text(agent, "name"))


def _team(team: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Take the team's name, unless its author left it at the name of its kind."""
    name = first_text(team, "name")
    return None if name == type(team).__name__ else Frame(workflow=name)


def _recipient(agent: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Take the name of the chat agent that a member of a team stands for, a team's manager's own, or else the type.

    In teams the types are names with an id behind them, another one in each run of the program.
    """
    member = getattr(agent, "_agent", None)
    if type(agent).__module__.startswith(_CHAT) and member is not None:
        return Frame(agent=first_text(member, "name")) if hasattr(member, "on_messages") else None
    return Frame(agent=first_text(agent, "_name") if type(agent).__module__.startswith(_CHAT) else agent.id.type)


def _hook(module: str, name: str, kind: Kind, frame: FrameOf) -> Hook:
    return Hook(framework=module.partition(".")[0].replace("_", "-"), module=module, name=name, kind=kind, frame=frame)


HOOKS = (
    _hook("autogen_core._base_agent", "BaseAgent.on_message", "coroutine", _recipient),
    _hook(f"{_CHAT}.teams._group_chat._base_group_chat", "BaseGroupChat.run_stream", "async_generator", _team),
    _hook(f"{_CHAT}.agents._base_chat_agent", "BaseChatAgent.run", "coroutine", _agent),
    _hook(f"{_CHAT}.agents._base_chat_agent", "BaseChatAgent.run_stream", "async_generator", _agent),
    _hook(f"{_CHAT}.agents._assistant_agent", "AssistantAgent.on_messages", "coroutine", _agent),
    _hook(f"{_CHAT}.agents._assistant_agent", "AssistantAgent.on_messages_stream", "async_generator", _agent),
)
