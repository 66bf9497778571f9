"""Looking into answers, whatever they are: an SDK's models, plain dicts, or what nobody expected."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.adapters.getters import fields_of, getter
from otel_llmcost.adapters.usage_at import UsageAt

NESTED = {"a": {"b": [{"c": 7}, {"c": 8}]}, "n": None, "zero": 0}
AS_OBJECT = SimpleNamespace(a=SimpleNamespace(b=[SimpleNamespace(c=7), SimpleNamespace(c=8)]), n=None, zero=0)


@pytest.mark.parametrize("value", [NESTED, AS_OBJECT], ids=["dicts", "objects"])
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b.1.c", 8),
        ("zero", 0),
        ("a.b.2.c", None),
        ("a.x", None),
        ("a.b.c", None),
        ("a.0", None),
        ("n.x", None),
        ("zero.x", None),
        ("x", None),
    ],
)
def test_a_path_leads_through_fields_and_positions_or_to_nothing(value, path, found):
    assert getter(path)(value) == found


@pytest.mark.parametrize("value", [None, 0, "text", [1], NESTED])
def test_an_empty_path_is_the_value_itself(value):
    assert getter("")(value) is value


@pytest.mark.parametrize("value", [None, 5, 1.5, "text", b"bytes", [1], object(), print])
def test_what_has_no_fields_has_none(value):
    assert getter("usage.input_tokens")(value) is None


def test_a_models_fields_include_those_its_sdk_does_not_know_yet():
    answer = ChatCompletion.construct(id="c", model="m", usage={"prompt_tokens": 1, "new_tokens": 5}, brand_new="x")

    fields = fields_of(answer)

    assert (fields["id"], fields["brand_new"]) == ("c", "x")
    assert getter("usage.new_tokens")(answer) == 5


AT = UsageAt(
    where=("usage", "message.usage"),
    counts={
        "input_tokens": ("fresh", "details.cached"),
        "cache_read_tokens": ("details.cached",),
        "output_tokens": ("out",),
    },
    lengths={"web_searches": ("output", "web_search_call")},
)


def noted(*answers):
    seen = {}
    for answer in answers:
        AT.note(answer, seen)
    usage = AT.usage(seen)
    return None if usage is None else usage.counts


@pytest.mark.parametrize(
    ("answers", "counts"),
    [
        pytest.param([{"usage": {"fresh": 5, "out": 3}}], {"input_tokens": 5, "output_tokens": 3}, id="as-it-is"),
        pytest.param(
            [{"usage": {"fresh": 5, "details": {"cached": 4}}}],
            {"input_tokens": 9, "cache_read_tokens": 4},
            id="several-fields-add-up",
        ),
        pytest.param([{"message": {"usage": {"out": 3}}}], {"output_tokens": 3}, id="in-the-second-place"),
        pytest.param(
            [{"usage": {"out": 1}, "message": {"usage": {"out": 9}}}], {"output_tokens": 1}, id="in-the-first-of-two"
        ),
        pytest.param(
            [{"usage": {"fresh": 5, "out": 1}}, {"usage": {"out": 30}}],
            {"input_tokens": 5, "output_tokens": 30},
            id="a-later-report-replaces-field-by-field",
        ),
        pytest.param(
            [{"usage": {"out": 30}}, {"usage": {"out": None}}, {"usage": None}, {}],
            {"output_tokens": 30},
            id="a-report-of-nothing-replaces-nothing",
        ),
        pytest.param([{"usage": {"out": 30}}, {"usage": {"out": 0}}], {}, id="zero-is-a-report"),
        pytest.param([{"usage": {"out": 3, "brand_new": 7}}], {"output_tokens": 3}, id="an-unknown-field-is-left-out"),
        pytest.param(
            [{"usage": {"fresh": True, "out": "12", "details": [4]}}, {"usage": {"fresh": 1.5}}],
            None,
            id="what-is-no-number-is-not-counted",
        ),
        pytest.param([{"usage": {"fresh": 5, "details": {"cached": -4}}}], {"input_tokens": 1}, id="below-zero"),
        pytest.param([{"usage": "none of your business"}, {"usage": 7}, "text", None], None, id="no-usage-at-all"),
        pytest.param(
            [
                {
                    "usage": {"out": 3},
                    "output": [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}, 5],
                }
            ],
            {"output_tokens": 3, "web_searches": 2},
            id="items-are-counted-by-their-type",
        ),
        pytest.param([{"usage": {"out": 3}, "output": []}], {"output_tokens": 3}, id="no-items"),
        pytest.param([{"usage": {"out": 3}, "output": 5}], {"output_tokens": 3}, id="items-that-are-none"),
    ],
)
def test_usage_is_read_as_it_is_reported(answers, counts):
    assert noted(*answers) == counts


def test_a_note_tells_whether_there_was_a_usage():
    seen = {}

    assert [AT.note(answer, seen) for answer in ({}, {"usage": None}, {"usage": {}}, {"usage": {"out": 1}})] == [
        False,
        False,
        True,
        True,
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["usage", "message", "details", "output", "fresh", "cached", "out", "type"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_no_answer_breaks_the_reading_of_it(answers):
    counts = noted(*answers)

    assert counts is None or all(type(count) is int and count > 0 for count in counts.values())


def test_a_count_may_stand_within_a_list():
    at = UsageAt(where=("",), counts={"output_tokens": ("results.0.tokenCount", "results.5.tokenCount")})
    seen = {}

    at.note({"results": [{"tokenCount": 20}, {"tokenCount": 7}]}, seen)

    assert at.usage(seen).counts == {"output_tokens": 20}


API = Api(
    name="sdk",
    provider="somebody",
    hosts={"*runtime*.example.com": "the provider", ".example.org": "another"},
    endpoints=(
        Endpoint(path="/model/{model}/invoke", operation="embeddings", dialect="", usage=AT, models=("embed",)),
        Endpoint(path="/model/{model}/invoke", operation="chat", dialect="", usage=AT),
        Endpoint(path="/models/{model}:predict", operation="chat", dialect="", usage=AT),
    ),
)


@pytest.mark.parametrize(
    ("path", "operation", "model"),
    [
        ("/model/a.text-v1:0/invoke", "chat", "a.text-v1:0"),
        ("/model/a.Embed-v1%3A0/invoke", "embeddings", "a.Embed-v1:0"),
        ("/model/arn%3Aaws%3A1%3Aprofile%2Fx/invoke/", "chat", "arn:aws:1:profile/x"),
        ("/v1/models/a-1:predict", "chat", "a-1"),
    ],
)
def test_a_path_names_a_model_and_the_model_what_it_is_asked_for(path, operation, model):
    place = API.place(path)

    assert (place.endpoint.operation, place.model) == (operation, model)


@pytest.mark.parametrize("path", ["/model/a/b/invoke", "/model/a/invoke/more", "/models/a-1:predict:more"])
def test_other_paths_are_nobodys(path):
    assert API.place(path) is None


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("my-runtime-1.eu.example.com", "the provider"),
        ("my-runtime-1.example.net", None),
        ("a.example.org", "another"),
        ("example.org", None),
    ],
)
def test_a_host_is_known_by_its_end_or_by_a_pattern(host, provider):
    assert API.known_at(host) == provider
