"""smolagents: managed agents called from code, plans, streams, two kinds of models."""

from __future__ import annotations

from tests.frameworks.answers import answer, call, text
from tests.frameworks.conftest import Ran, Stage


def run(stage: Stage) -> Ran:
    answer(stage, "You search.", call("search", query="rivers"), times=1)
    answer(stage, "You search.", call("final_answer", answer="three"))
    answer(stage, "You rhyme.", call("final_answer", answer="moon, June"))
    answer(stage, "You greet.", call("final_answer", answer="hello"))
    answer(stage, "You manage.", text("Thought: ask.\n<code>\nprint(searcher(task='rivers'))\n</code>"), times=1)
    answer(stage, "You manage.", text("Thought: done.\n<code>\nfinal_answer('three')\n</code>"))
    answer(stage, "", text("A plan."))
    return stage.run("smolagents_library.py", LITELLM_LOCAL_MODEL_COST_MAP="True")


def test_managed_agents_plans_and_streams_have_their_agents_names(stage: Stage) -> None:
    """An agent without a name is called by its class, if nothing better is known of it."""
    assert run(stage).told("agent", "user") == {
        ("manager", "ada"): 3,
        ("searcher", "ada"): 2,
        ("poet", None): 1,
        (None, None): 1,
        ("ToolCallingAgent", None): 1,
        ("porter", None): 1,
    }


def test_a_budget_of_one_agent_stops_no_other(stage: Stage) -> None:
    """The searcher's calls are refused before they are sent; its manager is told so, and goes on without it."""
    budget = '[[budget]]\nname = "searches"\nscope = { agent = "searcher" }\nlimit = 0.000001\nwindow = "day"\n'
    (stage.folder / "llmcost.toml").write_text(budget)

    assert run(stage).report == {"manager": 3, "poet": 1, "": 1, "ToolCallingAgent": 1, "porter": 1}
