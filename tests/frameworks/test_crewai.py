"""CrewAI: crews one after another or under a manager, flows, agents on their own; its own clients and litellm."""

from __future__ import annotations

from tests.frameworks.answers import answer, call, text
from tests.frameworks.conftest import Stage

QUIET = {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def test_agents_are_called_by_the_roles_they_have_in_this_run(stage: Stage) -> None:
    """Each is on another of the framework's own clients; roles end in a line break, as those from YAML files do."""
    answer(stage, "", text("Fine."))

    ran = stage.run("crewai_magazine.py", GOOGLE_GEMINI_BASE_URL=stage.server.url, GEMINI_API_KEY="local", **QUIET)

    assert ran.report == {"Researcher": 1, "Writer on rivers": 1, "Translator": 1}
    assert ran.told("workflow", "provider") == {
        ("magazine", "openai"): 1,
        ("magazine", "anthropic"): 1,
        ("magazine", "gcp.gemini"): 1,
    }


def test_a_manager_and_whom_it_delegates_to_pay_for_themselves(stage: Stage) -> None:
    """A call that litellm makes by the SDK is one charge, and a crew that nobody named is no workflow."""
    order = {"task": "Sort the post", "context": "Today's", "coworker": "Clerk"}
    answer(stage, "File the letters", call("delegate_work_to_coworker", **order), times=1)
    answer(stage, "", text("Fine."))

    ran = stage.run("crewai_office.py", **QUIET)

    assert ran.report == {"Crew Manager": 2, "Clerk": 1}
    assert ran.told("workflow") == {(None,): 3}


def test_a_flow_is_the_workflow_of_the_crews_in_it_and_its_state_the_session(stage: Stage) -> None:
    """What the framework checks an answer by is an agent of its own."""
    answer(stage, "Guardrail Agent", text('{"valid": true, "feedback": null}'))
    answer(stage, "", text("Fine."))

    ran = stage.run("crewai_bakery.py", **QUIET)

    assert ran.told("agent", "workflow", "session") == {
        ("Baker", "Bakery", "morning-3"): 1,
        ("Seller", "Bakery", "morning-3"): 1,
        ("Guardrail Agent", "Bakery", "morning-3"): 1,
        ("Barista", None, None): 1,
    }
