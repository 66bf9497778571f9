"""smolagents 1: an agent plans, takes its steps and sums up inside one generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_llmcost.adapters.frameworks import Frame, Hook, first_text


def _agent(agent: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    """Call an agent without a name by its class: only managed agents need one."""
    name = first_text(agent, "name")
    return Frame(agent=name or type(agent).__name__, is_default=name is None)


HOOKS = (
    Hook(
        framework="smolagents",
        module="smolagents.agents",
        name="MultiStepAgent._run_stream",
        kind="generator",
        frame=_agent,
    ),
    Hook(framework="smolagents", module="smolagents.agents", name="MultiStepAgent.step", kind="call", frame=_agent),
)
