"""Whom smolagents' objects name."""

from __future__ import annotations

from otel_llmcost.adapters.framework_smolagents import HOOKS
from otel_llmcost.adapters.frameworks import Frame


class CodeAgent:
    def __init__(self, name: str | None) -> None:
        self.name = name


def test_an_agent_without_a_name_is_called_by_its_class_for_want_of_a_better_one() -> None:
    for hook in HOOKS:
        assert hook.frame(CodeAgent("searcher"), (), {}, None) == Frame(agent="searcher")
        assert hook.frame(CodeAgent(None), (), {}, None) == Frame(agent="CodeAgent", is_default=True)
