"""Attribution in W3C baggage: read from whoever called us, kept from whom we call."""

import pytest
from opentelemetry import baggage as w3c
from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from otel_llmcost.core.attribution import SAID
from otel_llmcost.telemetry import baggage
from otel_llmcost.telemetry.semconv import BAGGAGE, TAGS


def carrying(**entries):
    ctx = Context()
    for name, value in entries.items():
        ctx = w3c.set_baggage(name, value, ctx)
    return ctx


def named(entries):
    return carrying(**entries)


def test_every_dimension_comes_out_as_it_went_in():
    said = {dimension: f"{dimension}-1" for dimension in SAID}

    assert baggage.tags(baggage.with_tags(said, Context())) == said


def test_what_an_upstream_service_sent_is_read():
    """A header, as another language's SDK writes it: percent-encoded, with properties and spaces."""
    header = "user.id=u%207, llmcost.team=r%26d;p=1 ,gen_ai.agent.name=planner,tracking=x"

    ctx = W3CBaggagePropagator().extract({"baggage": header}, Context())

    assert baggage.tags(ctx) == {"user": "u 7", "team": "r&d;p=1", "agent": "planner"}


def test_what_is_said_arrives_at_a_downstream_service():
    headers = {}

    W3CBaggagePropagator().inject(headers, baggage.with_tags({"user": "ü 7", "agent": "a,b"}, Context()))

    assert baggage.tags(W3CBaggagePropagator().extract(headers, Context())) == {"user": "ü 7", "agent": "a,b"}


@pytest.mark.parametrize(
    "entries",
    [
        {"session.id": "s-1", "gen_ai.conversation.id": "c-1"},
        {"gen_ai.conversation.id": "c-1", "session.id": "s-1"},
    ],
)
def test_a_session_goes_before_a_conversation(entries):
    assert baggage.tags(named(entries)) == {"session": "s-1"}


def test_a_conversation_is_a_session_where_none_is_named():
    assert baggage.tags(named({"gen_ai.conversation.id": "c-1"})) == {"session": "c-1"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param("u" * 300, {"user": "u" * 256}, id="cut"),
        pytest.param(7, {"user": "7"}, id="number"),
        pytest.param("", {}, id="empty-is-absent"),
    ],
)
def test_a_value_is_text_of_a_bounded_size(value, read):
    assert baggage.tags(named({"user.id": value})) == read


def test_without_baggage_nobody_is_named():
    assert baggage.tags(Context()) == baggage.tags(carrying(tracking="x")) == {}


def test_one_context_after_another_is_read_anew():
    """What was read last is remembered; it must be the very same baggage."""
    one, two = (baggage.with_tags({"user": name}, Context()) for name in ("one", "two"))

    assert [baggage.tags(each)["user"] for each in (one, one, two, one)] == ["one", "one", "two", "one"]


def test_later_words_replace_earlier_ones_and_leave_the_others():
    outer = baggage.with_tags({"agent": "planner", "user": "u-7"}, Context())

    inner = baggage.with_tags({"agent": "writer"}, outer)

    assert baggage.tags(inner) == {"agent": "writer", "user": "u-7"}
    assert baggage.tags(outer) == {"agent": "planner", "user": "u-7"}


SPAN = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))


def test_what_is_handed_to_an_sdk_names_nobody_and_keeps_the_baggage_of_others():
    said = dict.fromkeys(SAID, "secret")
    ctx = w3c.set_baggage("gen_ai.conversation.id", "secret", baggage.with_tags(said, carrying(tracking="x")))

    inner = baggage.inner(ctx, SPAN, "mark", 5)

    headers = {}
    W3CBaggagePropagator().inject(headers, inner)
    assert headers == {"baggage": "tracking=x"}
    assert dict(w3c.get_all(ctx)).keys() == {*BAGGAGE, "tracking"}


def test_what_is_handed_to_an_sdk_has_our_span_and_mark():
    outer = trace.set_span_in_context(SPAN, Context({"theirs": 1}))
    ours = trace.NonRecordingSpan(trace.SpanContext(1, 3, is_remote=False))

    inner = baggage.inner(outer, ours, "mark", 5)

    assert (trace.get_current_span(inner), inner["mark"], inner["theirs"]) == (ours, 5, 1)
    assert trace.get_current_span(baggage.inner(outer, None, "mark", 5)) is SPAN


def test_no_two_dimensions_share_a_name():
    assert len(set(TAGS.values())) == len(TAGS) == len(SAID)


def test_tags_take_the_place_of_all_that_was_said_before_and_leave_what_is_not_ours():
    ctx = w3c.set_baggage("tracking", "x", baggage.with_tags({"agent": "planner", "user": "u-7"}, Context()))

    only = baggage.with_only({"user": "u-8"}, ctx)

    assert dict(w3c.get_all(only)) == {"user.id": "u-8", "tracking": "x"}
    assert baggage.with_only({"user": "u-8"}, only) is only
    assert dict(w3c.get_all(baggage.with_only({}, ctx))) == {"tracking": "x"}


def test_a_header_of_ours_names_who_work_is_for_and_nothing_else():
    """For queues that carry headers but know no baggage."""
    header = baggage.as_header({"user": "ü,7", "team": "red"})

    assert (header, baggage.from_header(header)) == (
        "user.id=%C3%BC%2C7,llmcost.team=red",
        {"user": "ü,7", "team": "red"},
    )
    assert baggage.as_header({}) == ""
    assert baggage.from_header("no baggage") == baggage.from_header("") == {}
