"""What a budget has changed in requests is changed below the frameworks, whichever SDK each of them uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.frameworks.conftest import Stage

BUDGET = """
[[budget]]
name = "b"
limit = 1
window = "year"
on_limit = "alert"
actions = [{ at = 0.000000001, cap = 4000 }]
"""
CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def cap_of(body: Mapping[str, Any]) -> int | None:
    settings = body.get("generationConfig") or {}
    found = [body.get(name) for name in CAPS] + [settings.get("maxOutputTokens")]
    return next((each for each in found if each is not None), None)


@pytest.mark.parametrize(
    "program",
    ["langchain_chains.py", "langgraph_pipeline.py", "openai_agents_newsroom.py", "pydantic_ai_kitchen.py"],
)
def test_once_something_is_spent_requests_are_capped(stage: Stage, program: str) -> None:
    """Those that were under way when the first answer came may not be; the last one is."""
    config = stage.folder / "llmcost.toml"
    config.write_text(BUDGET)

    ran = stage.run(program, OTEL_LLMCOST_CONFIG=str(config))

    asked = [request.body for request in stage.server.requests]
    assert len(asked) > 2
    assert cap_of(asked[-1]) == 4000
    assert sum(cap_of(body) == 4000 for body in asked) == sum(
        any(action.startswith("cap 4000: b") and "not" not in action for action in charge.actions)
        for charge in ran.charges
    )
