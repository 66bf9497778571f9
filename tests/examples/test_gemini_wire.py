"""Google's own SDK must not be able to tell the local server from the real one."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from examples.provider_server import ProviderServer, Rule
from tests.examples.raw import events, post

ASK = "Say hello in 12 words"


class Plan(BaseModel):
    title: str
    steps: list[str]


def look_up(query: str) -> str:
    """Look something up."""
    return f"found {query}"


LOOK_UP = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="look_up",
            parameters=types.Schema(type=types.Type.OBJECT, properties={"query": types.Schema(type=types.Type.STRING)}),
        )
    ]
)


@pytest.fixture
def client(server: ProviderServer) -> Iterator[genai.Client]:
    with genai.Client(api_key="local", http_options=types.HttpOptions(base_url=server.url)) as client:
        yield client


def generate(client: genai.Client, contents: Any = ASK, **config: Any) -> types.GenerateContentResponse:
    settings = types.GenerateContentConfig(**config)
    return client.models.generate_content(model="gemini-2.5-flash", contents=contents, config=settings)


def test_usage_follows_the_documented_rule(client: genai.Client, server: ProviderServer) -> None:
    answer = generate(client, system_instruction="Be brief.")

    # 5 words + 4 for the turn, 2 words and a full stop + 4 for the system's; a colon and twelve words back
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (16, 13, 29)
    assert answer.text == "On Say hello in 12 words: What holds in one place rarely"
    assert (answer.model_version, answer.candidates[0].finish_reason) == ("gemini-2.5-flash", types.FinishReason.STOP)
    assert answer.response_id
    assert server.requests[0].usage["promptTokenCount"] == 16
    assert server.requests[0].provider == "gemini"


def test_a_stream_says_and_costs_the_same(client: genai.Client, server: ProviderServer) -> None:
    whole = generate(client)
    chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents=ASK))

    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    counts = [chunk.usage_metadata.candidates_token_count for chunk in chunks]
    assert (counts[0], counts[-1], counts) == (1, 13, sorted(counts))
    assert [chunk.candidates[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert server.requests[0].usage == server.requests[1].usage
    assert len({chunk.response_id for chunk in chunks}) == 1


def test_thoughts_are_counted_beside_the_answer(client: genai.Client) -> None:
    config = {"thinking_config": types.ThinkingConfig(thinking_budget=500, include_thoughts=True)}
    answer = generate(client, **config)
    hidden = generate(client, thinking_config=types.ThinkingConfig(thinking_level="low"))
    none = generate(client, thinking_config=types.ThinkingConfig(thinking_budget=0))

    parts = answer.candidates[0].content.parts
    usage = answer.usage_metadata
    assert [part.thought for part in parts] == [True, None]
    assert (usage.thoughts_token_count, usage.candidates_token_count, usage.total_token_count) == (80, 13, 9 + 13 + 80)
    assert (hidden.usage_metadata.thoughts_token_count, len(hidden.candidates[0].content.parts)) == (80, 1)
    assert none.usage_metadata.thoughts_token_count is None


def test_a_function_is_called_and_its_result_answered(client: genai.Client, server: ProviderServer) -> None:
    """Twice by hand, then by the SDK itself, which makes both requests."""
    call = generate(client, tools=[LOOK_UP]).function_calls[0]
    streamed = list(
        client.models.generate_content_stream(
            model="gemini-2.5-flash", contents=ASK, config=types.GenerateContentConfig(tools=[LOOK_UP])
        )
    )
    answer = generate(client, tools=[look_up])

    assert (call.name, list(call.args)) == ("look_up", ["query"])
    assert streamed[0].function_calls[0].name == "look_up"
    assert answer.text.startswith("On Say hello")
    assert len(server.requests) == 4
    assert "functionResponse" in server.requests[-1].body["contents"][-1]["parts"][0]


def test_a_function_can_be_insisted_on(client: genai.Client) -> None:
    def asked(mode: str, **more: Any) -> bool:
        config = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode, **more))
        return bool(generate(client, tools=[LOOK_UP], tool_config=config).function_calls)

    assert [asked("ANY"), asked("ANY", allowed_function_names=["look_up"]), asked("NONE")] == [True, True, False]


def test_structured_output_fits_its_schema(client: genai.Client) -> None:
    answer = generate(client, response_mime_type="application/json", response_schema=Plan)

    assert len(answer.parsed.steps) == 3
    assert json.loads(generate(client, response_mime_type="application/json").text) == {}


def test_media_are_counted_apart(client: genai.Client) -> None:
    parts = [
        types.Part.from_text(text="two words"),
        types.Part.from_bytes(data=b"x", mime_type="image/png"),
        types.Part.from_uri(file_uri="gs://b/a.pdf", mime_type="application/pdf"),
    ]
    details = generate(client, contents=parts).usage_metadata.prompt_tokens_details

    assert [(each.modality.name, each.token_count) for each in details] == [
        ("TEXT", 2 + 4),
        ("IMAGE", 85),
        ("DOCUMENT", 85),
    ]


def test_a_long_prompt_is_cached_by_itself(client: genai.Client) -> None:
    generate(client, contents=ASK, system_instruction="rule " * 1100)
    usage = generate(client, contents="Something else", system_instruction="rule " * 1100).usage_metadata

    assert usage.cached_content_token_count == 1024
    assert usage.prompt_token_count > 1100


def test_an_answer_is_cut_at_its_maximum(client: genai.Client) -> None:
    answer = generate(client, max_output_tokens=4)

    assert (answer.usage_metadata.candidates_token_count, answer.candidates[0].finish_reason.name) == (4, "MAX_TOKENS")


def test_texts_are_embedded_and_tokens_counted(client: genai.Client, server: ProviderServer) -> None:
    found = client.models.embed_content(model="gemini-embedding-001", contents=["one two", "three"])
    counted = client.models.count_tokens(model="gemini-2.5-flash", contents=ASK)

    assert [len(each.values) for each in found.embeddings] == [768, 768]
    assert (server.requests[0].path, server.requests[0].usage) == (
        "/v1/models/gemini-embedding-001:batchEmbedContents",
        {"promptTokenCount": 3},
    )
    assert counted.total_tokens == 9


def test_one_text_is_embedded(server: ProviderServer) -> None:
    answer = json.loads(
        post(
            server,
            "/v1beta/models/gemini-embedding-001:embedContent",
            {"content": {"parts": [{"text": "one two"}]}, "outputDimensionality": 5},
        )
    )

    assert (len(answer["embedding"]["values"]), answer["usageMetadata"]) == (5, {"promptTokenCount": 2})


def test_pictures_are_made(server: ProviderServer) -> None:
    body = {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 2}}
    made = json.loads(post(server, "/v1beta/models/imagen-4.0-generate-001:predict", body))["predictions"]

    assert base64.b64decode(made[1]["bytesBase64Encoded"]).startswith(b"\x89PNG")
    assert server.requests[0].usage == {"images": 2}


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")
async def test_asynchronous_calls_are_answered_too(server: ProviderServer) -> None:
    client = genai.Client(api_key="local", http_options=types.HttpOptions(base_url=server.url))
    answer = await client.aio.models.generate_content(model="gemini-2.5-flash", contents=ASK)
    stream = await client.aio.models.generate_content_stream(model="gemini-2.5-flash", contents=ASK)
    text = "".join([chunk.text or "" async for chunk in stream])
    await client.aio.aclose()

    assert text == answer.text


def test_vertex_has_addresses_of_its_own(server: ProviderServer) -> None:
    place = "/v1beta1/projects/p/locations/us-central1/publishers/google/models"
    body = {"contents": [{"role": "user", "parts": [{"text": ASK}]}]}
    whole = json.loads(post(server, f"{place}/gemini-2.5-pro:generateContent", body))
    embedded = json.loads(
        post(server, f"{place}/text-embedding-005:predict", {"instances": [{"content": "one two"}, {"content": "x"}]})
    )

    assert whole["modelVersion"] == "gemini-2.5-pro"
    statistics = [each["embeddings"]["statistics"]["token_count"] for each in embedded["predictions"]]
    assert (statistics, embedded["metadata"]) == ([2, 1], {"billableCharacterCount": 8})


@pytest.mark.parametrize(("fault", "status"), [("429", "RESOURCE_EXHAUSTED"), ("500", "INTERNAL"), ("529", "UNAVAIL")])
def test_a_fault_reaches_the_program_as_the_sdks_own_error(client: genai.Client, fault: str, status: str) -> None:
    with pytest.raises(errors.APIError, match=status):
        generate(client, http_options=types.HttpOptions(headers={"x-fault": fault}))


def test_an_error_can_come_in_the_middle_of_a_stream(client: genai.Client) -> None:
    headers = types.HttpOptions(headers={"x-fault": "overloaded-mid-stream"})
    stream = client.models.generate_content_stream(
        model="gemini-2.5-flash", contents=ASK, config=types.GenerateContentConfig(http_options=headers)
    )

    with pytest.raises(errors.APIError, match="Overloaded"):
        list(stream)


def test_usage_can_be_left_out_or_replaced(client: genai.Client, server: ProviderServer) -> None:
    none = generate(client, http_options=types.HttpOptions(headers={"x-fault": "no-usage"}))
    server.script.add(Rule(model="gemini-*", usage={"promptTokenCount": 7}))
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    chunks = events(server, path, {"contents": [{"parts": [{"text": ASK}]}]})

    assert none.usage_metadata is None
    assert {chunk["usageMetadata"]["promptTokenCount"] for chunk in chunks} == {7}


def test_a_key_may_stand_in_the_address(server: ProviderServer) -> None:
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    refused = json.loads(post(server, path, {"contents": []}, authorization=""))
    served = json.loads(post(server, path + "?key=local", {"contents": [{"parts": [{"text": "x"}]}]}, authorization=""))

    assert refused["error"]["status"] == "UNAUTHENTICATED"
    assert served["candidates"]


def test_interactions_go_on_from_earlier_ones(client: genai.Client, server: ProviderServer) -> None:
    create = client.interactions.create
    said = create(model="gemini-3-flash-preview", input=ASK, generation_config={"thinking_level": "low"})
    more = create(model="gemini-3-flash-preview", input="two words", previous_interaction_id=said.id)
    with create(model="gemini-3-flash-preview", input=ASK, stream=True) as stream:
        events = list(stream)

    usage = said.usage
    assert (usage.total_input_tokens, usage.total_output_tokens, usage.total_thought_tokens) == (9, 13, 64)
    assert (said.status, said.output_text) == ("completed", "On Say hello in 12 words: What holds in one place rarely")
    assert more.usage.total_input_tokens > 2 + 4 + 9 + 13
    assert "".join(each.delta.text for each in events if each.event_type == "step.delta") == said.output_text
    assert events[-1].interaction.usage.total_output_tokens == 13
    assert {exchange.path for exchange in server.requests} == {"/v1/interactions"}
    assert server.requests[2].provider == "gemini"


def test_an_interaction_calls_tools(client: genai.Client) -> None:
    tool = {"type": "function", "name": "look_up", "parameters": {"properties": {"query": {"type": "string"}}}}
    ask: dict[str, Any] = {"model": "gemini-3-flash-preview", "tools": [tool]}
    asked = client.interactions.create(
        **ask, input=[{"type": "user_input", "content": [{"type": "text", "text": ASK}]}]
    )
    call = asked.steps[0]
    result = {"type": "function_result", "call_id": call.id, "name": call.name, "result": {"found": "it"}}
    told = client.interactions.create(**ask, input=[result], previous_interaction_id=asked.id)
    with client.interactions.create(**ask, input=ASK, stream=True) as stream:
        given = "".join(each.delta.arguments for each in stream if each.event_type == "step.delta")

    assert (asked.status, call.name, list(call.arguments)) == ("requires_action", "look_up", ["query"])
    assert told.status == "completed"
    assert list(json.loads(given)) == ["query"]


def test_an_interaction_that_is_not_there_is_said(client: genai.Client) -> None:
    with pytest.raises(Exception, match="v1_none not found"):
        client.interactions.create(model="gemini-3-flash-preview", input=ASK, previous_interaction_id="v1_none")
