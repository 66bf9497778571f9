"""`doctor` says of every agent framework that is here whether its agents will be known by their names."""

import pytest

from otel_llmcost.adapters.framework_pydantic_ai import HOOKS
from tests.cli.conftest import texts

CLASSES = " = ".join({hook.name.partition(".")[0] for hook in HOOKS})


def test_where_there_is_none_it_says_which_it_looks_for(shell):
    (note,) = texts(shell, "frameworks", "note")

    assert note.startswith("none of google-adk, ")
    assert "langgraph" in note


@pytest.mark.parametrize("name", ["pydantic-ai", "pydantic-ai-slim"])
def test_a_framework_whose_methods_are_there_names_its_agents(shell, installed, name):
    installed(name, folder="pydantic_ai", _agent_graph=CLASSES)

    assert texts(shell, "frameworks", "ok") == [
        "pydantic-ai 9.0: its agents are known by their names, without any code"
    ]


@pytest.mark.parametrize("files", [{}, {"_agent_graph": "class Other: ..."}], ids=["no-module", "no-class"])
def test_a_framework_that_was_built_anew_is_warned_of(shell, installed, files):
    installed("pydantic-ai", folder="pydantic_ai", **files)

    (warning,) = texts(shell, "frameworks", "warning")
    assert warning == f"pydantic-ai 9.0 has no pydantic_ai._agent_graph.{HOOKS[0].name}: its agents may go unnamed"


def test_a_module_may_be_a_folder(shell, installed):
    installed("pydantic-ai", folder="pydantic_ai/_agent_graph", __init__=CLASSES)

    assert len(texts(shell, "frameworks", "ok")) == 1
