"""Where each API takes a cap on its output and the name of a model, and what is left alone."""

import copy

import pytest

from otel_llmcost.adapters import ANTHROPIC, BEDROCK, COHERE, GEMINI, GROQ, HUGGINGFACE, MISTRAL, OLLAMA, OPENAI, VERTEX
from otel_llmcost.adapters.changes import Asked, apply
from otel_llmcost.core.change import NO_CHANGE, Change

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
GENERATE = "/v1beta/models/gemini-2.5-pro:generateContent"
CONVERSE = "/model/us.anthropic.claude-opus-4-5-v1%3A0/converse"
INVOKE = "/model/anthropic.claude-opus-4-5-v1%3A0/invoke"
RAW, TITAN = "/v1/publishers/anthropic/models/{}:rawPredict", "/model/amazon.titan-text-v1/invoke"


def asked(api, path, body):
    place = api.place(path)
    model = place.model or body["model"]
    return Asked("api.example.com", place.endpoint, path, model, body, api.place)


def changed(api, path, body, **change):
    """Return what became of a change; what was given must still be what it was."""
    before = copy.deepcopy(body)
    applied = apply(Change(**change), asked(api, path, body))
    assert body == before
    return applied


@pytest.mark.parametrize(
    ("api", "path", "body", "sent"),
    [
        (OPENAI, CHAT, {"model": "gpt-4o"}, {"max_tokens": 100}),
        (OPENAI, CHAT, {"model": "gpt-35-turbo"}, {"max_tokens": 100}),
        (OPENAI, CHAT, {"model": "gpt-5-mini"}, {"max_completion_tokens": 100}),
        (OPENAI, CHAT, {"model": "my-o3-mini"}, {"max_completion_tokens": 100}),
        (OPENAI, CHAT, {"model": "gpt-4o", "max_completion_tokens": 500}, {"max_completion_tokens": 100}),
        (OPENAI, CHAT, {"model": "o3", "max_tokens": 500}, {"max_tokens": 100}),
        (OPENAI, RESPONSES, {"model": "gpt-5"}, {"max_output_tokens": 100}),
        (ANTHROPIC, "/v1/messages", {"model": "claude-opus-4-5", "max_tokens": 4096}, {"max_tokens": 100}),
        (GROQ, "/openai/v1/chat/completions", {"model": "openai/gpt-oss-120b"}, {"max_tokens": 100}),
        (MISTRAL, CHAT, {"model": "mistral-large-latest"}, {"max_tokens": 100}),
        (COHERE, "/v2/chat", {"model": "command-a-03-2025"}, {"max_tokens": 100}),
        (
            OLLAMA,
            "/api/chat",
            {"model": "llama3.2", "options": {"seed": 1}},
            {"options": {"seed": 1, "num_predict": 100}},
        ),
        (OLLAMA, "/api/chat", {"model": "m", "options": {"num_predict": -1}}, {"options": {"num_predict": 100}}),
        (GEMINI, GENERATE, {"contents": []}, {"generationConfig": {"maxOutputTokens": 100}}),
        (
            GEMINI,
            GENERATE,
            {"generation_config": {"seed": 1}},
            {"generation_config": {"seed": 1, "maxOutputTokens": 100}},
        ),
        (
            GEMINI,
            GENERATE,
            {"generationConfig": {"max_output_tokens": 900}},
            {"generationConfig": {"max_output_tokens": 100}},
        ),
        (BEDROCK, CONVERSE, {"messages": []}, {"inferenceConfig": {"maxTokens": 100}}),
        (BEDROCK, INVOKE, {"max_tokens": 4096}, {"max_tokens": 100}),
        (BEDROCK, "/model/us.amazon.nova-pro-v1%3A0/invoke", {"messages": []}, {"inferenceConfig": {"maxTokens": 100}}),
    ],
)
def test_a_cap_is_written_where_the_api_takes_it(api, path, body, sent):
    """Each calls it by a name of its own; the rest of the body stays."""
    applied = changed(api, path, body, max_output_tokens=100)

    assert applied.body == {**body, **sent}
    assert applied.path is None
    assert (applied.done, applied.left) == (Change(max_output_tokens=100), NO_CHANGE)


@pytest.mark.parametrize(
    ("api", "path", "body"),
    [
        pytest.param(OPENAI, CHAT, {"model": "gpt-4o", "max_tokens": 100}, id="as-much"),
        pytest.param(OPENAI, CHAT, {"model": "gpt-4o", "max_tokens": 16}, id="less"),
        pytest.param(OPENAI, "/v1/embeddings", {"model": "text-embedding-3-small"}, id="no-output"),
    ],
)
def test_a_cap_only_lowers(api, path, body):
    """Who asks for less gets less; what has no output needs no cap, and nothing was left undone."""
    applied = changed(api, path, body, max_output_tokens=100)

    assert (applied.body, applied.done, applied.left) == (None, NO_CHANGE, NO_CHANGE)


@pytest.mark.parametrize(
    ("api", "path", "body"),
    [
        pytest.param(OPENAI, "/v1/completions", {"model": "davinci-002"}, id="its-default-may-be-less"),
        pytest.param(OPENAI, "/v1/audio/transcriptions", {"model": "whisper-1"}, id="takes-none"),
        pytest.param(OPENAI, CHAT, {"model": "gpt-4o", "max_tokens": "500"}, id="no-number"),
        pytest.param(OPENAI, CHAT, {"model": "gpt-4o", "max_tokens": True}, id="a-word"),
        pytest.param(OLLAMA, "/api/chat", {"model": "m", "options": [1]}, id="something-in-the-way"),
        pytest.param(BEDROCK, "/model/meta.llama3-1-70b-instruct-v1%3A0/invoke", {"prompt": "hi"}, id="llama"),
        pytest.param(GEMINI, GENERATE, None, id="a-body-that-cannot-be-read"),
    ],
)
def test_where_a_cap_cannot_be_said_it_is_left(api, path, body):
    """The request goes out as it was made, and its span shows it."""
    applied = changed(api, path, body, max_output_tokens=100)

    assert (applied.body, applied.done) == (None, NO_CHANGE)
    assert applied.left == Change(max_output_tokens=100)


@pytest.mark.parametrize(
    ("cap", "thinking"),
    [
        pytest.param(8000, {"type": "enabled", "budget_tokens": 5000}, id="the-same-share"),
        pytest.param(1600, {"type": "enabled", "budget_tokens": 1024}, id="never-below-what-is-accepted"),
        pytest.param(1025, {"type": "enabled", "budget_tokens": 1024}, id="below-the-cap"),
        pytest.param(1024, {"type": "disabled"}, id="no-room-for-any"),
    ],
)
def test_what_may_be_thought_stays_below_the_cap(cap, thinking):
    """Anthropic rejects a request that lets a model think as much as it may put out."""
    thought = {"type": "enabled", "budget_tokens": 10_000}
    body = {"model": "claude-sonnet-4-5", "max_tokens": 16_000, "thinking": thought}

    assert changed(ANTHROPIC, "/v1/messages", body, max_output_tokens=cap).body["thinking"] == thinking


def test_so_it_does_in_amazon_s_converse():
    """Where the request names no cap, the budget alone says what it asks for."""
    body = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 4000}}}

    sent = changed(BEDROCK, CONVERSE, body, max_output_tokens=2000).body

    assert sent["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 1999


@pytest.mark.parametrize(
    ("api", "path", "body", "model", "sent"),
    [
        (OPENAI, CHAT, {"model": "gpt-4o"}, "gpt-4o-mini", {"model": "gpt-4o-mini"}),
        (OPENAI, "/v1/embeddings", {"model": "text-embedding-3-large"}, "e", {"model": "e"}),
        pytest.param(
            *(OPENAI, CHAT, {"model": "gpt-4o", "max_tokens": 500}, "gpt-5-nano"),
            {"model": "gpt-5-nano", "max_completion_tokens": 500},
            id="a-cap-by-the-name-that-the-other-model-knows",
        ),
    ],
)
def test_another_model_is_named_in_the_body(api, path, body, model, sent):
    """The rest stays; embeddings have models too."""
    applied = changed(api, path, body, model=model)

    assert applied.body == sent
    assert (applied.done, applied.left) == (Change(model=model), NO_CHANGE)


@pytest.mark.parametrize(
    ("api", "path", "model", "sent"),
    [
        (GEMINI, GENERATE, "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent"),
        (BEDROCK, CONVERSE, "us.amazon.nova-lite-v1:0", "/model/us.amazon.nova-lite-v1%3A0/converse"),
        (BEDROCK, INVOKE, "anthropic.claude-haiku-4-5-v1:0", "/model/anthropic.claude-haiku-4-5-v1%3A0/invoke"),
        (VERTEX, RAW.format("claude-opus-4-5"), "claude-haiku-4-5@20251001", RAW.format("claude-haiku-4-5@20251001")),
        (HUGGINGFACE, "/hf-inference/models/a/b", "c/d", "/hf-inference/models/c/d"),
    ],
)
def test_another_model_is_named_in_the_url(api, path, model, sent):
    """Where the path names the model; the body need not even be understood."""
    applied = changed(api, path, None, model=model)

    assert (applied.path, applied.body) == (sent, None)
    assert applied.done == Change(model=model)


def test_what_stands_before_a_model_s_name_in_a_body_stays_there():
    """Google wants it said in both places."""
    path = "/v1beta/models/{}:embedContent"

    applied = changed(GEMINI, path.format("e-1"), {"model": "models/e-1"}, model="e-2")

    assert applied.path == path.format("e-2")
    assert applied.body == {"model": "models/e-2"}


def test_so_it_is_in_each_of_many_requests_in_one():
    """Google wants them all to name the model of the URL."""
    path, requests = (
        "/v1beta/models/{}:batchEmbedContents",
        [{"model": "models/e-1", "content": {}}, {"content": {}}, 3],
    )

    applied = changed(GEMINI, path.format("e-1"), {"requests": requests}, model="e-2")

    assert applied.path == path.format("e-2")
    assert applied.body == {"requests": [{"model": "models/e-2", "content": {}}, {"content": {}}, 3]}


def test_a_deployment_of_azure_is_exchanged_in_url_and_body():
    """What the body says is not looked at there."""
    applied = changed(OPENAI, "/openai/deployments/large/chat/completions", {"model": "large"}, model="small")

    assert applied.path == "/openai/deployments/small/chat/completions"
    assert applied.body == {"model": "small"}


def test_an_answer_is_read_as_the_other_model_gives_it():
    """Google bills searches in another way from Gemini 3 on: that is another row."""
    before = asked(GEMINI, "/v1beta/models/gemini-3-pro:generateContent", {})

    after = apply(Change(model="gemini-2.5-flash"), before).endpoint

    assert after != before.endpoint
    assert after == GEMINI.place(GENERATE).endpoint


@pytest.mark.parametrize(
    ("api", "path", "body", "model"),
    [
        pytest.param(BEDROCK, INVOKE, {"max_tokens": 9}, "us.amazon.nova-lite-v1:0", id="a-body-in-another-s-form"),
        pytest.param(BEDROCK, "/model/arn%3Ax/invoke", {"a": 1}, "anthropic.claude-v1", id="whose-form-is-unknown"),
        pytest.param(BEDROCK, TITAN, {}, "amazon.titan-embed-text-v2:0", id="another-operation"),
        pytest.param(VERTEX, RAW.format("claude-opus-4-5"), {}, "count-tokens", id="no-paid-path"),
        pytest.param(MISTRAL, "/v1/conversations/c-1", {"inputs": "hi"}, "mistral-small-latest", id="none-is-named"),
    ],
)
def test_where_another_model_cannot_be_asked_the_request_is_left(api, path, body, model):
    """It would be rejected, or mean something else."""
    place = api.place(path)

    applied = apply(Change(model=model), Asked("h", place.endpoint, path, place.model or "agent", body, api.place))

    assert (applied.path, applied.body, applied.done) == (None, None, NO_CHANGE)
    assert applied.left == Change(model=model)


def test_one_half_of_a_change_is_made_where_the_other_cannot_be():
    """A cheaper model helps without a cap too."""
    applied = changed(OPENAI, "/v1/completions", {"model": "davinci-002"}, model="babbage-002", max_output_tokens=9)

    assert applied.body == {"model": "babbage-002"}
    assert (applied.done, applied.left) == (Change(model="babbage-002"), Change(max_output_tokens=9))


def test_both_are_made_at_once():
    """The cap goes where the other model takes it."""
    applied = changed(OPENAI, CHAT, {"model": "gpt-4o"}, model="gpt-5-nano", max_output_tokens=9)

    assert applied.body == {"model": "gpt-5-nano", "max_completion_tokens": 9}
    assert applied.done == Change(model="gpt-5-nano", max_output_tokens=9)


def test_the_model_that_is_asked_already_needs_no_change():
    """A route to itself is none."""
    assert changed(OPENAI, CHAT, {"model": "gpt-4o"}, model="gpt-4o").done == NO_CHANGE
