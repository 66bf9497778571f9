"""Pydantic AI: delegation, streams, steps driven by the program, names taken from variables."""

from __future__ import annotations

from tests.frameworks.conftest import Stage


def test_each_step_is_its_agents(stage: Stage) -> None:
    """A tool's calls are those of the agent that uses it; what the program asks afterwards is nobody's."""
    ran = stage.run("pydantic_ai_kitchen.py")

    assert ran.out == ["3", "True", "waiter True"]
    assert ran.report == {"chef": 6, "cook": 2, "waiter": 3, "": 1}
    told = ran.told("agent", "session", "user")
    assert told[("cook", "table-4", "lin")] == 2
    assert told[("waiter", "table-4", None)] == 2
    assert sum(count for (_, session, _), count in told.items() if session not in (None, "table-4")) == 1
