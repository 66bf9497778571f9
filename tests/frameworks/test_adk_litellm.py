"""Google ADK: transfers, agents as tools, sequences, loops and agents side by side."""

from __future__ import annotations

from tests.frameworks.conftest import Stage


def test_agents_reached_through_litellm_have_their_names(stage: Stage) -> None:
    """An agent used as a tool has a session and a user of its own making; the caller's are told."""
    ran = stage.run("adk_litellm_travel.py")

    assert ran.report == {"coordinator": 1, "booker": 2, "price_finder": 1, "weather": 1, "traffic": 1, "editor": 2}
    assert ran.told("workflow", "session", "user") == {
        ("travel_desk", "trip-1", "ada"): 4,
        ("report", "trip-2", "lin"): 4,
    }
