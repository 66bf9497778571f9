"""Which tellings are of one call, whatever order and batches they come in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import msgspec
import pytest

from otel_llmcost_collector.accounting.tellings import call_key, is_strong
from otel_llmcost_collector.accounting.twins import Twins, WindowSize
from otel_llmcost_collector.observed import Observed
from tests.collector.accounting.telling import NOW_US, SECOND, TRACE, again, hexadecimal, own, response_id, told


def charged(*batches: Sequence[Observed], twins: Twins | None = None) -> set[str]:
    """Return the ids of the entries that stand after these batches."""
    twins = twins or Twins()
    standing: set[str] = set()
    for batch in batches:
        plan = twins.plan(batch)
        standing -= {*plan.replaces.values(), *plan.taken_back}
        standing |= {each.charge_id for each in plan.charges if each is not None}
        twins.keep(0.0)
    return standing


def in_any_order(*tellings: Observed) -> list[set[str]]:
    """Return what stands after each order that these can come in, one by one and all at once."""
    orders = list(permutations(tellings))
    return [charged(*[[each] for each in order]) for order in orders] + [charged(order) for order in orders]


def same_call(**changes: Any) -> tuple[Observed, Observed]:
    """Make two tellings of a call: the first is the poorer."""
    poorer = told(trace_id=TRACE, richness=3)
    return poorer, again(poorer, richness=7, **changes)


def test_a_span_that_is_sent_again_is_charged_once() -> None:
    one = told()

    assert charged([one], [one], [one, one]) == {one.charge_id}


def test_calls_that_have_nothing_in_common_are_charged_each() -> None:
    calls = [told() for _ in range(50)]

    assert charged(calls) == {each.charge_id for each in calls}


TWINS = [
    pytest.param({"trace_id": hexadecimal(32), "response_id": response_id()}, id="one-answer-in-two-traces"),
    pytest.param({"source": "official", "response_id": response_id()}, id="one-answer-told-twice-by-one"),
    pytest.param({"served_model": None}, id="as-many-tokens-at-one-time"),
    pytest.param({"requested_model": "openai/gpt-4o", "served_model": None}, id="a-model-with-its-provider-before-it"),
    pytest.param({"at_us": NOW_US + SECOND // 2}, id="one-begins-while-the-other-runs"),
    pytest.param({"response_id": "chatcmpl-123"}, id="a-weak-id-near-by"),
]


@pytest.mark.parametrize("changes", TWINS)
def test_two_tellings_of_one_call_are_one_charge_by_the_richer(changes: dict[str, Any]) -> None:
    poorer, richer = same_call(**changes)
    if "response_id" in changes:
        poorer = again(poorer, response_id=changes["response_id"], source="official")

    assert in_any_order(poorer, richer) == [{richer.charge_id}] * 4


STRANGERS = [
    pytest.param({"source": "official"}, id="two-calls-of-one-instrumentor-at-one-time"),
    pytest.param({"at_us": NOW_US + 2 * SECOND}, id="one-after-the-other"),
    pytest.param({"counts": {"input_tokens": 1, "output_tokens": 1}}, id="other-tokens"),
    pytest.param({"trace_id": hexadecimal(32)}, id="another-trace"),
    pytest.param({"requested_model": "gpt-5", "served_model": None}, id="another-model"),
    pytest.param({"operation": "embeddings"}, id="another-operation"),
    pytest.param({"trace_id": None}, id="no-trace"),
]


@pytest.mark.parametrize("changes", STRANGERS)
def test_two_calls_that_are_only_alike_are_two_charges(changes: dict[str, Any]) -> None:
    one, other = same_call(**changes)

    assert in_any_order(one, other) == [{one.charge_id, other.charge_id}] * 4


def test_a_line_behind_the_end_of_a_call_is_the_same_call() -> None:
    """As Logfire tells of streams: with no duration, in a trace of its own."""
    call = told(response_id=response_id(), richness=7)
    line = again(call, trace_id=hexadecimal(32), at_us=call.at_us + SECOND + 900, duration_us=0, response_id=None)

    line = msgspec.structs.replace(line, richness=3)
    assert in_any_order(call, line) == [{call.charge_id}] * 4
    late = again(line, at_us=line.at_us + SECOND, source="third")
    assert charged([call], [late]) == {call.charge_id, late.charge_id}


def test_answers_with_ids_of_their_own_are_two_calls_however_alike() -> None:
    one = told(trace_id=TRACE, response_id=response_id())
    other = again(one, response_id=response_id())

    assert in_any_order(one, other) == [{one.charge_id, other.charge_id}] * 4


def test_a_weak_id_joins_nothing_that_is_far_away() -> None:
    """Servers for tests answer everything with one id."""
    one = told(response_id="chatcmpl-123")
    later = told(response_id="chatcmpl-123", source="other", at_us=NOW_US + 60 * SECOND)

    assert charged([one, later]) == {one.charge_id, later.charge_id}


@pytest.mark.parametrize("source", ["official", "other"])
def test_a_call_in_a_span_of_the_call_is_that_call(source: str) -> None:
    """A framework's span around that of the SDK, both by one instrumentor or by two; each counts in its own way."""
    outer = told(trace_id=TRACE, richness=3)
    inner = told(trace_id=TRACE, parent_span_id=outer.span_id, richness=7, source=source)

    assert in_any_order(outer, inner) == [{inner.charge_id}] * 4


def test_three_spans_in_each_other_are_one_call_in_any_order() -> None:
    outer = told(trace_id=TRACE, richness=3, source="langchain")
    middle = told(trace_id=TRACE, parent_span_id=outer.span_id, richness=7, source="litellm")
    inner = told(trace_id=TRACE, parent_span_id=middle.span_id, richness=5, source="openai")

    assert in_any_order(outer, middle, inner) == [{middle.charge_id}] * 12


def test_a_call_made_in_the_course_of_another_is_one_of_its_own() -> None:
    outer = told(trace_id=TRACE)
    inner = told(trace_id=TRACE, parent_span_id=outer.span_id, operation="embeddings")

    assert in_any_order(outer, inner) == [{outer.charge_id, inner.charge_id}] * 4


def test_two_calls_below_one_span_are_two_calls_and_it_is_one_of_them() -> None:
    """An SDK that tries again, below the span of a framework that tells of the second only."""
    outer = told(trace_id=TRACE, richness=3)
    failed = told(trace_id=TRACE, parent_span_id=outer.span_id, source="sdk", counts={}, at_us=NOW_US + 1)
    second = again(outer, parent_span_id=outer.span_id, source="sdk", richness=7, at_us=NOW_US + 2 * SECOND)

    assert charged([failed, second], [outer]) == {failed.charge_id, second.charge_id}
    assert charged([failed], [second], [outer]) == {failed.charge_id, second.charge_id}
    assert charged([outer], [failed], [second]) == {failed.charge_id, second.charge_id}


def test_two_instrumentors_below_one_span_tell_of_one_call_though_they_count_otherwise() -> None:
    outer = told(trace_id=TRACE, richness=3)
    one = told(trace_id=TRACE, parent_span_id=outer.span_id, richness=5, source="one")
    two = told(trace_id=TRACE, parent_span_id=outer.span_id, richness=7, source="two")

    assert in_any_order(outer, one, two) == [{two.charge_id}] * 12


def test_parallel_calls_told_by_two_instrumentors_are_as_many_calls() -> None:
    """With equal tokens nobody can tell which is whose twin, and it does not matter."""
    calls = [told(trace_id=TRACE, counts={"input_tokens": 7, "output_tokens": 7}) for _ in range(5)]
    twins = [again(each, richness=7) for each in calls]

    assert len(charged([*calls, *twins])) == 5
    assert len(charged(calls, twins)) == 5
    assert len(charged(*[[each] for pair in zip(twins, calls, strict=True) for each in pair])) == 5


def test_what_our_plugin_charged_is_never_replaced() -> None:
    ours = own(trace_id=TRACE, richness=1, response_id=response_id())
    theirs = again(ours, richness=99)

    assert in_any_order(ours, theirs) == [{ours.charge_id}] * 4


def test_two_charges_of_our_plugin_are_two_calls() -> None:
    """It makes one charge of a call, so even an answer that comes from a cache was called for twice."""
    one = own(trace_id=TRACE, response_id=response_id())
    two = own(trace_id=TRACE, response_id=one.response_id)

    assert in_any_order(one, two) == [{one.charge_id, two.charge_id}] * 4


def test_a_span_beside_our_plugins_is_the_same_call_though_it_counts_otherwise() -> None:
    """Where the plugin runs, it tells of every call there is."""
    ours = own(trace_id=TRACE, parent_span_id="00f067aa0ba902b7", at_us=NOW_US + 5, duration_us=SECOND - 9)
    theirs = told(trace_id=TRACE, parent_span_id="00f067aa0ba902b7")

    assert in_any_order(ours, theirs) == [{ours.charge_id}] * 4


def test_a_charge_settled_over_the_api_and_its_span_are_one() -> None:
    """They have one id: the richer is chosen as long as neither is written."""
    settled = own(span_id=None, trace_id=None, richness=3)
    span = own(charge_id=settled.charge_id, richness=9)

    plan = Twins().plan([settled, span])

    assert plan.charges == [span]
    assert charged([settled], [span]) == {settled.charge_id}


def test_calls_that_turn_out_to_be_one_are_joined() -> None:
    """The span between two that nobody took for one comes last."""
    outer = told(trace_id=TRACE, richness=3)
    inner = told(trace_id=TRACE, parent_span_id="00f067aa0ba902b7", richness=7)
    between = told(trace_id=TRACE, span_id="00f067aa0ba902b7", parent_span_id=outer.span_id, richness=1)

    assert charged([outer], [inner], [between]) == {inner.charge_id}
    assert charged([outer, inner, between]) == {inner.charge_id}


def test_where_a_call_is_told_again_below_itself_one_instrumentor_tells_of_two() -> None:
    outer = told(trace_id=TRACE, richness=9)
    first = told(trace_id=TRACE, parent_span_id=outer.span_id, source="sdk")
    second = told(trace_id=TRACE, parent_span_id=outer.span_id, source="sdk", at_us=NOW_US + 2 * SECOND)

    assert charged([outer], [first], [second]) == {outer.charge_id, second.charge_id}


def test_a_batch_that_is_not_written_is_forgotten() -> None:
    poorer, richer = same_call()
    twins = Twins()
    assert charged([poorer], twins=twins) == {poorer.charge_id}

    twins.plan([richer])
    twins.drop()
    plan = twins.plan([richer])

    assert (plan.charges, plan.replaces) == ([richer], {0: poorer.charge_id})


def test_what_stands_for_a_call_is_not_replaced_once_nobody_knows_it() -> None:
    poorer, richer = same_call()
    twins = Twins()
    charged([poorer], twins=twins)

    twins.stands(poorer.charge_id, poorer.charge_id, None)
    twins.stands("unknown", "unknown", None)

    assert twins.plan([richer]).charges == []


def test_an_entry_of_another_node_is_replaced_by_what_is_richer_than_it() -> None:
    poorer, richer = same_call()
    other = told(richness=richer.richness + 1)
    twins = Twins()
    charged([poorer], twins=twins)

    twins.stands(poorer.charge_id, other.charge_id, other)

    assert twins.plan([richer]).charges == []
    twins.drop()
    plan = twins.plan([again(poorer, richness=99, source="third")])
    assert plan.replaces == {0: other.charge_id}


def test_what_is_forgotten_is_new_again() -> None:
    one = told()
    twins = Twins()
    charged([one], twins=twins)

    twins.forget([one.charge_id, "unknown"])

    assert twins.plan([one]).charges == [one]


def test_old_tellings_are_forgotten_in_two_generations() -> None:
    twins = Twins(WindowSize(tellings=10))
    first = told()

    charged([first], *[[told()] for _ in range(10)], twins=twins)
    assert twins.plan([first]).charges == []
    twins.drop()
    charged(*[[told()] for _ in range(10)], twins=twins)

    assert twins.count == 1
    assert twins.plan([first]).charges == [first]


def test_old_tellings_are_forgotten_after_a_time_however_few_they_are() -> None:
    twins = Twins(WindowSize(seconds=60))
    one = told()
    for now in (0.0, 61.0, 122.0):
        twins.plan([one] if now == 0.0 else [])
        twins.keep(now)

    assert twins.plan([one]).charges == [one]


def test_a_long_trace_of_equal_calls_is_compared_with_the_latest_only() -> None:
    equal = told(trace_id=TRACE, counts={"input_tokens": 7, "output_tokens": 7}, duration_us=10)
    calls = [again(equal, source="official", at_us=NOW_US + 100 * number) for number in range(200)]

    twins = [again(each, source="other") for each in calls[-60:]]
    assert len(charged(calls, twins)) == 200
    assert len(charged(calls, [again(calls[0], source="other")])) == 201


@pytest.mark.parametrize(
    ("response", "strong"),
    [
        ("chatcmpl-9DNyvHHEjPRlqr3ySIvrYlEtcqAwZ", True),
        ("msg_01XFDUDYJgAACzvnptvVoYEL", True),
        ("8f14e45f-ceea-4e7a-9f0e-3b1f7c0a9d21", True),
        ("chatcmpl-8b1f00aa837461920475", True),
        ("resp_72b5323f5bbe68d7f4b5957967255722", True),
        ("8f14e45f-ceea-4e7a-9f0e-957967255722", True),
        ("chatcmpl-123", False),
        ("chatcmpl-test-000000000001", False),
        ("response-of-the-test-server", True),
        ("responseofthetestserver", False),
        ("run--8f14e45f-ceea-4e7a-9f0e-3b1f7c0a9d21", False),
        ("", False),
    ],
)
def test_an_id_is_strong_if_no_two_answers_have_it(response: str, *, strong: bool) -> None:
    assert is_strong(response) is strong
    assert (call_key(told(response_id=response)) is not None) is strong


def test_all_tellings_of_an_answer_have_one_key_and_no_others() -> None:
    one = told(response_id=response_id())

    assert call_key(one) == call_key(told(response_id=one.response_id))
    assert call_key(one) != call_key(told(response_id=response_id()))
    assert call_key(told()) is None


def test_an_entry_is_not_put_in_its_own_place() -> None:
    """What a plugin settles over the API says less than its span, and both are one entry.

    Found by a soak: a collector that was begun anew heard of the entry by a poorer telling, and then its span.
    """
    response, twins = response_id(), Twins()
    settled = own(response_id=response, richness=7)
    poorer = told(response_id=response, richness=3)
    twins.plan([poorer])
    twins.stands(poorer.charge_id, settled.charge_id, settled)
    twins.keep(0.0)

    plan = twins.plan([msgspec.structs.replace(settled, richness=9)])

    assert (plan.replaces, [each for each in plan.charges if each is not None]) == ({}, [])
