"""What JSON in an attribute tells, and what broken JSON does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost_collector.dialects.answers import MOST_CHARACTERS, Told, told_by
from otel_llmcost_collector.dialects.row import Form

FORMS: tuple[Form, ...] = ("answer", "usage", "buckets", "details", "python", "metadata")
CLAUDE = {
    "input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 500,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400},
    "output_tokens": 16,
    "server_tool_use": {"web_search_requests": 2},
    "service_tier": "priority",
}
COUNTED = {
    "input_tokens": 2600,
    "cache_read_tokens": 2000,
    "cache_write_tokens": 500,
    "cache_write_1h_tokens": 400,
    "output_tokens": 16,
    "web_searches": 2,
}
GOOGLE = {
    "promptTokenCount": 1000,
    "toolUsePromptTokenCount": 30,
    "candidatesTokenCount": 150,
    "thoughtsTokenCount": 50,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 700}, {"modality": "TEXT", "tokenCount": 300}, 7],
}


def answer(value: Any, *, is_known: bool = False) -> Told:
    return told_by(json.dumps(value), "answer", "", is_known=is_known)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"id": "msg_1", "type": "message", "usage": CLAUDE}, COUNTED, id="anthropic"),
        pytest.param(
            {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}, {"input_tokens": 7, "output_tokens": 3}, id="chat"
        ),
        pytest.param(
            {
                "object": "response",
                "output": [{"type": "web_search_call", "action": {"type": "search"}}, {"type": "message"}],
                "usage": {"input_tokens": 7, "output_tokens": 3},
            },
            {"input_tokens": 7, "output_tokens": 3, "web_searches": 1},
            id="responses",
        ),
        pytest.param(
            {"usage": {"billed_units": {"input_tokens": 8, "output_tokens": 14}, "tokens": {"input_tokens": 12}}},
            {"input_tokens": 8, "output_tokens": 14},
            id="cohere",
        ),
        pytest.param({"meta": {"billed_units": {"search_units": 1}}}, {"search_units": 1}, id="cohere-rerank"),
        pytest.param(
            {"usageMetadata": GOOGLE},
            {"input_tokens": 1030, "output_tokens": 200, "reasoning_tokens": 50, "input_audio_tokens": 700},
            id="google",
        ),
        pytest.param(
            {"prompt_eval_count": 12, "eval_count": 14}, {"input_tokens": 12, "output_tokens": 14}, id="ollama"
        ),
        pytest.param({"usage": {"tokens": 12}}, None, id="somebody-else"),
        pytest.param({"choices": []}, None, id="nothing"),
    ],
)
def test_an_answer_is_read_as_its_provider_means_it(value: Any, expected: Any) -> None:
    """By the same rows that the plugin reads answers by."""
    assert answer(value).counts == expected


def test_of_an_answer_whose_tokens_are_known_only_what_is_told_nowhere_else_is_read() -> None:
    """Most answers tell no more, and reading all of them would cost more than the rest of the span."""
    plain = {"id": "chatcmpl-1", "service_tier": "flex", "model": "m", "usage": {"prompt_tokens": 7}}

    assert answer(plain, is_known=True) == Told(None, "chatcmpl-1", "m", "flex")
    assert answer({"id": "msg_1", "type": "message", "usage": CLAUDE}, is_known=True).counts == COUNTED
    assert answer({"id": "x", "meta": {"billed_units": {"input_tokens": 2}}}, is_known=True).counts == {
        "input_tokens": 2
    }


def test_a_usage_alone_is_read_too() -> None:
    """As Logfire writes it."""
    assert told_by(json.dumps(CLAUDE), "usage", "anthropic") == Told(COUNTED, tier="priority")  # type: ignore[arg-type]

    images = {
        "input_tokens": 2,
        "input_tokens_details": {},
        "output_tokens": 9,
        "output_tokens_details": {"image_tokens": 9},
    }
    told = told_by(json.dumps(images), "usage", "openai")
    assert (told.operation, told.counts) == (
        "image_generation",
        {"input_tokens": 2, "output_tokens": 9, "output_image_tokens": 9},
    )


def test_a_usage_may_be_written_as_python_does() -> None:
    """As LiteLLM's older engine writes it."""
    told = told_by("{'prompt_tokens': 7, 'completion_tokens': 3, 'x': None, 'y': True}", "python", "openai")

    assert told.counts == {"input_tokens": 7, "output_tokens": 3}


def test_a_provider_s_metadata_tells_the_tier_and_claude_s_usage() -> None:
    """As Vercel's SDK writes it."""
    assert told_by('{"openai": {"serviceTier": "flex"}}', "metadata", "openai") == Told(tier="flex")
    assert told_by(json.dumps({"anthropic": {"usage": CLAUDE}}), "metadata", "anthropic").counts == COUNTED


def test_buckets_do_not_overlap() -> None:
    """Each is paid by itself, so a total is their sum."""
    told = told_by('{"input": 5, "input_cached_tokens": 3, "output": 2, "output_reasoning_tokens": 4}', "buckets", "")

    assert told.counts == {"input_tokens": 8, "cache_read_tokens": 3, "output_tokens": 6, "reasoning_tokens": 4}


BROKEN: list[object] = [
    *(None, 7, "", "x", "[1]", "{", '{"usage": {"prompt_tokens": 1}', '{"a": "\udc80"}', '{"usage": []}', '{"id": {}}'),
    *('{"data": {"choices": 1', '{"data": {"usage": 7}}', '{"anthropic": 7}', '{"usage": {"prompt_tokens": "x"}}'),
    *('{"input": "many"}', '{"usage_metadata": {"prompt_tokens_details": [1, {}]}}', "{" * 10_000),
    '{"usage": {"prompt_tokens": 1}}' + " " * MOST_CHARACTERS,
]


@pytest.mark.parametrize("form", FORMS)
def test_broken_texts_tell_nothing(form: Form) -> None:
    """Attributes are cut off at a length by many; whatever it is, the span is passed on."""
    told = [told_by(text, form, "openai").counts for text in BROKEN]

    assert [each for each in told if each] == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["usage", "id", "input_tokens", "prompt_tokens", "type", "meta", "output", "anthropic"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_breaks_the_reading(value: Any) -> None:
    """It is written by programs of others."""
    for form in FORMS:
        told = told_by(json.dumps(value), form, "anthropic")
        assert all(type(count) is int and count > 0 for count in (told.counts or {}).values())
