"""A body is counted by text rule, framing and tools, each as the providers publish them."""

import pytest

from otel_llmcost.core.tokens import InputCount, count_input, text_tokens
from tests.core.bodies import PNG_512_URL, chat, claude

WEATHER = {
    "type": "object",
    "properties": {"location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}},
    "required": ["location"],
}


def test_text_counts_a_quarter_and_three_quarters():
    assert text_tokens("abcd" * 10) == 10
    assert text_tokens("天地玄黄") == 3
    assert text_tokens("ab天地") == 0.5 + 1.5
    assert text_tokens("") == 0
    assert text_tokens("\ud800") == 0.75


@pytest.mark.parametrize(
    ("dialect", "body", "text", "fixed"),
    [
        pytest.param(
            "openai.chat",
            {"messages": [{"role": "system", "content": "abcd"}, {"role": "user", "content": "天地"}]},
            1 + 1.5,
            3 + 2 * 4,
            id="chat",
        ),
        pytest.param(
            "openai.chat",
            {"messages": [{"role": "user", "name": "Ada_", "content": [{"type": "text", "text": "abcdabcd"}]}]},
            1 + 2,
            3 + 4 + 1,
            id="chat-with-blocks-and-a-name",
        ),
        pytest.param(
            "openai.chat",
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"q":12}'}}
                        ],
                    },
                    {"role": "tool", "tool_call_id": "call_1", "content": "abcd"},
                ]
            },
            1 + 2 + 1,
            3 + 2 * 4 + 1,
            id="chat-with-a-tool-call",
        ),
        pytest.param(
            "openai.responses", {"input": "abcd", "instructions": "abcdabcd"}, 3, 3 + 4, id="responses-of-one-text"
        ),
        pytest.param(
            "openai.responses",
            {
                "input": [
                    {"role": "user", "content": "abcd"},
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "abcd"}]},
                    {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}{}"},
                    {"type": "function_call_output", "call_id": "c", "output": "abcd"},
                    {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "abcd"}]},
                ]
            },
            6,
            3 + 5 * 4 + 1,
            id="responses-of-items",
        ),
        pytest.param("openai.completions", {"prompt": ["abcd", "abcd"], "suffix": "abcd"}, 3, 0, id="completions"),
        pytest.param("openai.completions", {"prompt": [1, 2, 3]}, 0, 3, id="completions-of-token-ids"),
        pytest.param("openai.embeddings", {"input": "abcd"}, 1, 0, id="embeddings"),
        pytest.param("openai.embeddings", {"input": ["abcd", "abcd"]}, 2, 0, id="embeddings-of-texts"),
        pytest.param("openai.embeddings", {"input": [[1, 2, 3], [4]]}, 0, 4, id="embeddings-of-token-ids"),
        pytest.param(
            "anthropic.messages",
            {"system": "abcd", "messages": [{"role": "user", "content": "abcd"}]},
            2,
            3 + 4,
            id="messages",
        ),
        pytest.param(
            "anthropic.messages",
            {
                "system": [{"type": "text", "text": "abcd", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": "abcd", "signature": "x" * 400},
                            {"type": "text", "text": "abcd", "citations": None},
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "abcd"}]}
                        ],
                    },
                ],
            },
            4,
            3 + 2 * 4,
            id="messages-with-blocks",
        ),
    ],
)
def test_texts_and_framing_are_counted(dialect, body, text, fixed):
    assert count_input(body, dialect) == InputCount(text, fixed)


def test_tokens_are_rounded_up_and_the_factor_is_for_text_only():
    count = InputCount(10.1, 7, image_tokens=100, audio_tokens=20, file_tokens=3, video_tokens=1000)

    assert count.media_tokens == 1123
    assert count.tokens == 11 + 7 + 1123
    assert count.scaled(2.0) == 21 + 7 + 1123


def test_a_count_is_a_usage_with_its_parts():
    assert InputCount(10.0, 1, image_tokens=100, audio_tokens=20).usage(2.0).counts == {
        "input_tokens": 141,
        "input_image_tokens": 100,
        "input_audio_tokens": 20,
    }
    assert InputCount(10.0, video_tokens=5, other={"pages": 2}).usage().counts == {
        "input_tokens": 15,
        "input_video_tokens": 5,
        "pages": 2,
    }
    assert InputCount(10.0).usage().counts == {"input_tokens": 10}


def test_a_function_takes_about_what_the_cookbook_counts():
    """By the cookbook's rule and o200k, this function takes 62 tokens: 50 of its own and 12 that end the list."""
    parameters = {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["location"],
    }
    description = "Get the current weather in a given location"
    function = {"name": "get_current_weather", "description": description, "parameters": parameters}

    counted = chat(tools=[{"type": "function", "function": function}])

    assert counted.text_tokens == pytest.approx(50, rel=0.15)


def test_anthropic_tools_take_about_what_its_documentation_shows():
    """Its example, on a model with a tool prompt of 313, takes 403 tokens in all."""
    tool = {
        "name": "get_weather",
        "description": "Get the current weather in a given location",
        "input_schema": WEATHER,
    }
    question = {"type": "text", "text": "What's the weather like in San Francisco?"}

    counted = claude(question, model="claude-opus-4-20250514", tools=[tool])

    assert counted.fixed_tokens == 3 + 4 + 313
    assert counted.tokens == pytest.approx(403, rel=0.05)


def test_a_forced_tool_and_tools_of_anthropics_own_have_their_published_sizes():
    tools = [{"type": "bash_20250124", "name": "bash"}, {"type": "text_editor_20250728", "name": "edit"}]

    assert claude(tools=tools, tool_choice={"type": "any"}).fixed_tokens == 3 + 4 + 588 + 245 + 700
    assert claude(tools=[]).fixed_tokens == 3 + 4


def test_arguments_given_as_an_object_count_as_their_json():
    counted = claude({"type": "tool_use", "id": "t", "name": "", "input": {"query": "abcdefgh", "limit": 5}})

    assert counted.text_tokens == pytest.approx(len('{"query": "abcdefgh", "limit": 5}') / 4, abs=1.5)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        pytest.param("openai.responses", {"input": "x", "previous_response_id": "resp_1"}, id="earlier-response"),
        pytest.param("openai.responses", {"input": "x", "conversation": {"id": "conv_1"}}, id="conversation"),
        pytest.param("openai.responses", {"prompt": {"id": "pmpt_1"}}, id="stored-prompt"),
        pytest.param("openai.responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, id="stored-item"),
        pytest.param(
            "openai.chat", {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, id="spoken-answer"
        ),
        pytest.param("anthropic.messages", {"messages": [], "container": "c_1"}, id="container"),
        pytest.param("anthropic.messages", {"messages": [], "mcp_servers": [{"url": "u"}]}, id="mcp"),
        pytest.param("openai.chat", [], id="no-body"),
    ],
)
def test_what_lies_elsewhere_makes_a_count_incomplete(dialect, body):
    assert not count_input(body, dialect).is_complete


def test_the_model_may_be_named_beside_the_body():
    image = {"type": "image_url", "image_url": {"url": PNG_512_URL}}
    body = {"model": "my-deployment", "messages": [{"role": "user", "content": [image]}]}

    assert count_input(body, "openai.chat", model="gpt-5.4").image_tokens == 308


def test_text_can_be_counted_by_a_tokeniser():
    counted = count_input({"messages": [{"role": "user", "content": "four words are here"}]}, "openai.chat",
                          count_text=lambda text: len(text.split()))  # fmt: skip

    assert counted.text_tokens == 4
