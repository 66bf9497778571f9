"""smolagents: managed agents called from code, plans, streams, two kinds of models."""

from __future__ import annotations

from tests.frameworks.answers import answer, call, text
from tests.frameworks.conftest import Stage


def test_managed_agents_plans_and_streams_have_their_agents_names(stage: Stage) -> None:
    """An agent without a name is called by its class, if nothing better is known of it."""
    answer(stage, "You search.", call("search", query="rivers"), times=1)
    answer(stage, "You search.", call("final_answer", answer="three"))
    answer(stage, "You rhyme.", call("final_answer", answer="moon, June"))
    answer(stage, "You greet.", call("final_answer", answer="hello"))
    answer(stage, "You manage.", text("Thought: ask.\n<code>\nprint(searcher(task='rivers'))\n</code>"), times=1)
    answer(stage, "You manage.", text("Thought: done.\n<code>\nfinal_answer('three')\n</code>"))
    answer(stage, "", text("A plan."))

    ran = stage.run("smolagents_library.py", LITELLM_LOCAL_MODEL_COST_MAP="True")

    assert ran.told("agent", "user") == {
        ("manager", "ada"): 3,
        ("searcher", "ada"): 2,
        ("poet", None): 1,
        (None, None): 1,
        ("ToolCallingAgent", None): 1,
        ("porter", None): 1,
    }
