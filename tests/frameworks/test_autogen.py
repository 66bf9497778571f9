"""AutoGen: teams whose members talk through a runtime, agents as tools, hand-overs, agents on their own."""

from __future__ import annotations

from tests.frameworks.answers import answer, call, text
from tests.frameworks.conftest import Stage


def test_each_member_of_a_team_pays_for_itself_and_so_does_who_picks_the_speaker(stage: Stage) -> None:
    """The runtime hands messages on from a task of its own, so the agent is whom it hands them to."""
    answer(stage, "Pick one of", text("reporter"))
    answer(stage, "You report.", call("fact_checker", task="Check the tide."), times=1)
    answer(stage, "", text("Fine."))

    ran = stage.run("autogen_newsroom.py")

    assert ran.report == {"SelectorGroupChatManager": 1, "reporter": 2, "fact_checker": 1, "editor": 1}
    assert ran.told("workflow") == {("newsroom",): 5}


def test_a_hand_over_changes_the_agent_and_a_stream_does_not_name_its_reader(stage: Stage) -> None:
    """What the reader of a stream asks a model between two messages is not the agent's."""
    answer(stage, "You greet.", call("transfer_to_billing"))
    answer(stage, "", text("SETTLED"))

    ran = stage.run("autogen_desk.py")

    assert ran.told("agent", "workflow") == {
        ("front_desk", "service desk"): 1,
        ("billing", "service desk"): 1,
        ("columnist", None): 3,
        (None, None): 1,
    }


def test_a_runtime_answers_for_whoever_asked(stage: Stage) -> None:
    """It takes messages out of a queue in tasks that know nothing of the sender."""
    answer(stage, "", text("Fine."))

    ran = stage.run("autogen_exchange.py")

    assert ran.told("agent", "user", "workflow") == {
        ("translator", "ada", None): 1,
        ("proofreader", "ada", None): 1,
        ("translator", "lin", None): 1,
        ("proofreader", "lin", None): 1,
        ("columnist", "mel", "opinions"): 1,
    }
