"""What litellm's arguments tell, whatever version of it is there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from otel_llmcost.adapters.brokers import Errand
from otel_llmcost.adapters.litellm import ENTRIES, PROVIDERS, errand


@pytest.mark.parametrize(
    ("args", "kwargs", "provider"),
    [
        pytest.param(("openai/gpt-4o",), {}, "openai", id="the-word-before-the-model"),
        pytest.param((), {"model": "bedrock/converse/anthropic.claude"}, "aws.bedrock", id="the-first-word-of-many"),
        pytest.param((), {"model": "gpt-4o", "custom_llm_provider": "azure"}, "azure.ai.openai", id="said-apart"),
        pytest.param((), {"model": "meta-llama/Llama", "custom_llm_provider": "groq"}, "groq", id="that-counts-more"),
        pytest.param((), {"model": "meta-llama/Llama"}, "", id="a-maker-is-no-provider"),
        pytest.param((), {"model": "litellm_proxy/gpt-4o"}, "", id="nor-is-a-gateway"),
        pytest.param((), {"model": "gpt-4o"}, "", id="nothing-said"),
        pytest.param((), {}, "", id="nothing-at-all"),
        pytest.param((), {"model": 7}, "", id="no-name"),
    ],
)
def test_the_provider_is_told_by_litellm_s_word_for_it(args, kwargs, provider):
    assert errand(None, args, kwargs).provider == provider


@pytest.mark.parametrize(
    ("kwargs", "tags"),
    [
        ({}, {}),
        ({"user": "u-1"}, {"user": "u-1"}),
        ({"user": "u-1", "metadata": {"trace_user_id": "u-2"}}, {"user": "u-2"}),
        (
            {"metadata": {"session_id": 7, "agent": "clerk", "task_id": "t"}},
            {"session": "7", "agent": "clerk", "task": "t"},
        ),
        ({"metadata": {"tags": ["a"]}}, {}),
        ({"metadata": None, "user": None}, {}),
        ({"metadata": "text"}, {}),
    ],
)
def test_user_and_metadata_tell_whom_a_call_is_for(kwargs, tags):
    assert errand(None, ("gpt-4o",), kwargs) == Errand("", tags)


def test_a_native_function_is_asked_in_the_form_of_a_provider():
    (finding,) = [entry for entry in ENTRIES if entry.part == "natives"]

    messages, pages = finding.natives["messages"], finding.natives["aocr"]

    assert (messages.is_async, messages.endpoint.dialect) == (False, "anthropic.messages")
    assert (pages.is_async, pages.endpoint.operation) == (True, "ocr")
    assert messages.asked({"model": "anthropic/claude-sonnet-4-5"}) == ("claude-sonnet-4-5", "anthropic")
    assert pages.asked({"model": "mistral-ocr-latest"}) == ("mistral-ocr-latest", "")
    assert pages.asked({}) == ("", "")


def test_every_function_has_its_twin():
    names = {entry.name: entry.is_async for entry in ENTRIES if entry.module == "litellm"}

    assert all(names[name] == name.startswith(("a",)) for name in names if name != "anthropic_messages_handler")
    assert {"completion", "acompletion", "responses", "aresponses", "anthropic_messages"} <= set(names)


def test_no_provider_is_called_by_litellm_s_word_for_a_gateway():
    assert not {"litellm_proxy", "custom", "custom_openai", "openai_like"} & set(PROVIDERS)


class OpenTelemetry:
    """Named as litellm's own logger is."""

    tracer = "its tracer"


def test_its_own_logger_of_spans_is_found_where_it_is_at_work(monkeypatch: pytest.MonkeyPatch):
    (naming,) = [entry for entry in ENTRIES if entry.part == "naming"]
    library = SimpleNamespace(callbacks=["langfuse", OpenTelemetry()], success_callback=[])

    monkeypatch.setitem(sys.modules, "litellm", library)

    assert list(naming.tracers()) == ["its tracer"]
    monkeypatch.delitem(sys.modules, "litellm")
    assert list(naming.tracers()) == []


def test_a_call_is_known_by_the_id_that_its_span_will_tell():
    (naming,) = [entry for entry in ENTRIES if entry.part == "naming"]
    assert naming.id_of is not None

    assert naming.id_of((SimpleNamespace(litellm_call_id="c-1"), {})) == "c-1"
    assert naming.id_of((SimpleNamespace(), {})) == ""
