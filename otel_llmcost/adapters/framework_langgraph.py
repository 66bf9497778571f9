"""LangGraph from 0.6 on, and LangChain's agents, which are graphs: a graph or one of its nodes is an agent.

What an author names is not told apart by the framework, so this goes by what is built: a graph with tools of its own is
one agent, and so is a named graph inside another; in any other graph the nodes that the author wrote are the agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, Hook, Kind, argument, first_text

_NO_NAME = "LangGraph"
_MADE_HERE = ("langgraph.prebuilt", "langchain.agents")
"""Modules whose nodes no author named; each belongs to the loop of one agent."""
_AGENT = 2
"""How many signs make a graph one agent."""
_SESSION = ("thread_id", "session_id", "conversation_id")
_NO_FIELDS: Mapping[str, Any] = {}


def _graph(instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], outer: Frame | None) -> Frame:
    name = None if instance.name == _NO_NAME else first_text(instance, "name")
    has_loop = any(_module(node.bound).startswith(_MADE_HERE) for node in instance.nodes.values())
    is_agent = sum((name is not None, has_loop, outer is not None)) >= _AGENT
    config: Mapping[str, Any] = {**(instance.config or {}), **(argument(args, kwargs, 1, "config") or {})}
    fields = _fields(config)
    return Frame(
        agent=name if is_agent else None,
        workflow=None if is_agent else name,
        session=first_text(fields, *_SESSION),
        user=first_text(fields, "user_id") or first_text(kwargs.get("context"), "user_id"),
        is_whole=is_agent,
    )


def _node(_instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    task = argument(args, kwargs, 0, "task")
    steps = getattr(task.proc, "steps", None)
    if _module(steps[0] if steps else task.proc).startswith(_MADE_HERE):
        return None
    return Frame(agent=first_text(task, "name"), is_part=True)


def _model(_instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Take what a chain without a graph was told: its parts hand it on down to the model."""
    fields = _fields(argument(args, kwargs, 1, "config") or _NO_FIELDS)
    session, user = first_text(fields, *_SESSION), first_text(fields, "user_id")
    return Frame(session=session, user=user) if session or user else None


def _fields(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**(config.get("metadata") or _NO_FIELDS), **(config.get("configurable") or _NO_FIELDS)}


def _module(runnable: Any) -> str:
    """Name the module that a node's work was written in."""
    function = getattr(runnable, "func", None) or getattr(runnable, "afunc", None)
    if function is None or not isinstance(getattr(function, "__module__", None), str):
        return type(runnable).__module__
    return str(function.__module__)


def _hook(module: str, name: str, kind: Kind, frame: Any) -> Hook:
    return Hook(framework="langgraph", module=module, name=name, kind=kind, frame=frame)


_MODELS = "langchain_core.language_models.chat_models"
HOOKS = (
    _hook("langgraph.pregel.main", "Pregel.stream", "generator", _graph),
    _hook("langgraph.pregel.main", "Pregel.astream", "async_generator", _graph),
    _hook("langgraph.pregel._runner", "run_with_retry", "call", _node),
    _hook("langgraph.pregel._runner", "arun_with_retry", "coroutine", _node),
    _hook(_MODELS, "BaseChatModel.invoke", "call", _model),
    _hook(_MODELS, "BaseChatModel.ainvoke", "coroutine", _model),
    _hook(_MODELS, "BaseChatModel.stream", "generator", _model),
    _hook(_MODELS, "BaseChatModel.astream", "async_generator", _model),
)
