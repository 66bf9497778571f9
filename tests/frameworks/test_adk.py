"""Google ADK on Gemini, by Google's own SDK."""

from __future__ import annotations

from tests.frameworks.conftest import Stage


def test_transfers_streams_and_functions_of_a_workflow_have_their_names(stage: Stage) -> None:
    """A function that asks a model in no agent's name asks in its own."""
    ran = stage.run("adk_gemini_library.py", GOOGLE_GEMINI_BASE_URL=stage.server.url, GOOGLE_API_KEY="local")

    assert ran.report == {"librarian": 2, "archivist": 4, "summarize": 1, "reviewer": 1}
    assert ran.told("workflow", "session", "user") == {
        ("library", "s-1", "ada"): 3,
        ("library", "s-1b", "ada"): 3,
        ("catalogue", "s-2", "ada"): 2,
    }
