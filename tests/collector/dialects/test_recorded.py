"""Spans that real instrumentors emitted beside the local provider: what they come to, against what it really told."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.collector.dialects.corpus import Recorded, marks, recorded, senders, table

SEARCHES = "how often Claude searched the web, which is paid by the search"
TOOL_TOKENS = "what Gemini's own tools put into the input"
NOT_TOLD = {
    ("logfire", "chat-flex"): "the service tier",
    ("logfire", "response-flex"): "the service tier",
    ("native", "claude-search"): SEARCHES,
    ("official", "claude-search"): SEARCHES,
    ("official", "gemini-tool-use"): TOOL_TOKENS,
    ("openlit", "claude-search"): SEARCHES,
    ("openlit", "gemini-tool-use"): TOOL_TOKENS,
    ("traceloop", "claude-helper"): "that it was a stream, whose first tokens are counted twice",
    ("traceloop", "claude-search"): SEARCHES,
    ("traceloop", "gemini-tool-use"): TOOL_TOKENS,
}
"""(Sender, call) → what no span tells, and nothing shows that it is missing."""

ALL = [each for name in senders() for each in recorded(name)]


def _id(each: Recorded) -> str:
    return f"{each.sender}-{each.call}-{each.scope.rpartition(chr(46))[2]}"


@pytest.mark.parametrize("each", [each for each in ALL if each.mark is not None], ids=_id)
def test_a_figure_is_right_or_marked_or_not_given(each: Recorded) -> None:
    """A wrong cost is worse than none; those that nobody could know are named one by one."""
    is_known = (each.sender, each.call) not in NOT_TOLD

    assert (each.mark != "wrong") == is_known


@pytest.mark.parametrize("sender", senders())
def test_a_call_is_told_once_by_each_scope(sender: str) -> None:
    """Agents, workflows and first halves of streams are no calls, though they repeat what was used."""
    told = Counter((each.call, each.scope) for each in ALL if each.sender == sender and each.telling is not None)

    assert told
    assert set(told.values()) == {1}


@pytest.mark.parametrize("sender", senders())
def test_a_plain_reader_is_wrong_more_often(sender: str) -> None:
    """What we add is not bought with silence: at most what is estimated is missing from what is right."""
    ours, plain = marks()[sender]

    assert ours["wrong"] <= plain["wrong"]
    assert ours["right"] + ours["estimated"] >= plain["right"]


@pytest.mark.parametrize("each", [each for each in ALL if each.telling and each.telling.response_id], ids=_id)
def test_the_id_is_the_answer_s(each: Recorded) -> None:
    """Two that tell of one call are known by it; LiteLLM and OpenLIT's pictures have one of their own."""
    assert each.telling is not None

    is_own = each.truth["response_id"] is None or each.sender == "litellm" or each.call.startswith("litellm")
    assert is_own or each.telling.response_id == each.truth["response_id"]


@pytest.mark.parametrize("sender", senders())
def test_resource_says_where_a_call_was_made(sender: str) -> None:
    """The service's name is whose program it is, and no dimension."""
    tags = [each.telling.tags for each in ALL if each.sender == sender and each.telling]

    assert {each.get("environment") for each in tags} == {"test"}


@pytest.mark.parametrize("each", [each for each in ALL if each.sender.startswith("ours") and each.mark], ids=_id)
def test_our_own_charge_is_taken_as_it_is(each: Recorded) -> None:
    """It was made where the call was; pricing it again could only differ."""
    told = each.telling
    assert told is not None

    assert told.source == "otel-llmcost"
    assert told.charge_id is not None
    assert (told.price_id is None) == (told.cost_nano is None)


def test_how_all_do(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m tests.collector.dialects.corpus` shows the same."""
    with capsys.disabled():
        print("\n" + table())

    assert sum(ours["wrong"] for ours, _ in marks().values()) == len(NOT_TOLD)
