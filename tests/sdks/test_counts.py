"""Every SDK's calls, plain and streamed, sync and async, are charged once, with what the provider says it counted."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import cohere
import groq
import httpx
import ollama
import openai
import pytest
import together
from botocore.config import Config
from google import genai
from google.genai import types
from huggingface_hub import InferenceClient
from mistralai.client import Mistral

from examples.provider_server import ProviderServer
from tests.instrumentation.conftest import Process

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

SAY = "Say hello in 12 words"
CHAT = [{"role": "user", "content": SAY}]
LONG = "rule " * 1100
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
MESSAGES = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 500, "messages": CHAT}
CONVERSE: dict[str, Any] = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": SAY}]}]}
THINKING = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(thinking_budget=99))

Calls = Callable[[str], Any]
Counts = dict[str, int]


@contextlib.contextmanager
def bedrock(url: str) -> Iterator[Any]:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


@contextlib.contextmanager
def gemini(url: str) -> Iterator[genai.Client]:
    with genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url)) as client:
        yield client


@contextlib.contextmanager
def cohere_of(kind: type, url: str) -> Iterator[Any]:
    with httpx.Client() as http:
        yield kind(api_key="local", base_url=url, httpx_client=http)


@contextlib.contextmanager
def mistral(url: str) -> Iterator[Mistral]:
    with Mistral(api_key="local", server_url=f"{url}/mistral") as client:
        yield client


def ollama_of(url: str) -> ollama.Client:
    return ollama.Client(host=url)


def drained(stream: Any) -> list[Any]:
    """Read a stream to its end, and leave it as a careful program does."""
    closing: Any = contextlib.closing if hasattr(stream, "close") else contextlib.nullcontext
    with stream if hasattr(stream, "__enter__") else closing(stream) as opened:
        return list(opened)


def with_client(make: Callable[[str], Any], call: Callable[[Any], Any]) -> Calls:
    def run(url: str) -> Any:
        with make(url) as client:
            return call(client)

    return run


def invoked(client: Any, model: str, body: dict[str, Any]) -> Any:
    return client.invoke_model(modelId=model, body=json.dumps(body))["body"].read()


def invoked_stream(client: Any, model: str, body: dict[str, Any]) -> Any:
    return drained(client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"])


async def gemini_async(url: str, *, is_stream: bool) -> None:
    async with genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url)).aio as client:
        if is_stream:
            stream = await client.models.generate_content_stream(model="gemini-2.5-flash", contents=SAY)
            assert [chunk async for chunk in stream]
        else:
            await client.models.generate_content(model="gemini-2.5-flash", contents=SAY)


async def mistral_async(url: str) -> None:
    async with Mistral(api_key="local", server_url=f"{url}/mistral") as client:
        stream = await client.chat.stream_async(model="mistral-large-latest", messages=CHAT)
        assert [event async for event in stream]


async def cohere_async(url: str) -> None:
    async with httpx.AsyncClient() as http:
        client = cohere.AsyncClientV2(api_key="local", base_url=url, httpx_client=http)
        assert [event async for event in client.chat_stream(model="command-a-03-2025", messages=CHAT)]


async def ollama_async(url: str) -> None:
    async with ollama.AsyncClient(host=url) as client:
        assert [part async for part in await client.chat(model="llama3.2", messages=CHAT, stream=True)]


def gemini_call(**config: Any) -> Calls:
    return with_client(
        gemini,
        lambda client: client.models.generate_content(model="gemini-2.5-flash", contents=SAY, **config),
    )


def of_gemini(usage: Counts) -> Counts:
    return {
        "input_tokens": usage["promptTokenCount"],
        "output_tokens": usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0),
        "reasoning_tokens": usage.get("thoughtsTokenCount", 0),
        "cache_read_tokens": usage.get("cachedContentTokenCount", 0),
    }


def of_interactions(usage: Counts) -> Counts:
    thoughts = usage["total_thought_tokens"]
    return {
        "input_tokens": usage["total_input_tokens"],
        "output_tokens": usage["total_output_tokens"] + thoughts,
        "reasoning_tokens": thoughts,
    }


def of_openai(usage: Counts) -> Counts:
    return {"input_tokens": usage["prompt_tokens"], "output_tokens": usage.get("completion_tokens", 0)}


def of_images(usage: Counts) -> Counts:
    """One was asked for, and its tokens are all the output."""
    made = usage["output_tokens"]
    return {"input_tokens": usage["input_tokens"], "output_tokens": made, "output_image_tokens": made, "images": 1}


def of_transcription(usage: Any) -> Counts:
    return {
        "input_tokens": usage["input_tokens"],
        "input_audio_tokens": usage["input_token_details"]["audio_tokens"],
        "output_tokens": usage["output_tokens"],
    }


def of_cohere(usage: Any) -> Counts:
    units = usage.get("billed_units", usage)
    return {
        "input_tokens": units.get("input_tokens", 0) + units.get("image_tokens", 0),
        "output_tokens": units.get("output_tokens", 0),
        "search_units": units.get("search_units", 0),
    }


def of_converse(usage: Counts) -> Counts:
    cached = usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"]
    return {"input_tokens": usage["inputTokens"] + cached, "output_tokens": usage["outputTokens"],
            "cache_read_tokens": usage["cacheReadInputTokens"],
            "cache_write_tokens": usage["cacheWriteInputTokens"]}  # fmt: skip


def of_messages(usage: Counts) -> Counts:
    cached = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
    return {"input_tokens": usage["input_tokens"] + cached, "output_tokens": usage["output_tokens"]}


def of_llama(usage: Counts) -> Counts:
    return {"input_tokens": usage["prompt_token_count"], "output_tokens": usage["generation_token_count"]}


def of_ollama(usage: Counts) -> Counts:
    """A token takes the server a millisecond."""
    counts = {"input_tokens": usage["prompt_eval_count"], "output_tokens": usage.get("eval_count", 0)}
    return counts | {"gpu_milliseconds": sum(counts.values())}


def pages(usage: Counts) -> Counts:
    return {"pages": usage["pages_processed"]}


FIRST = {"model": "command-r", "message": SAY}
SECOND: dict[str, Any] = {"model": "command-a-03-2025", "messages": CHAT}
DOCUMENT: dict[str, Any] = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
TITAN = {"inputText": "one two"}
LLAMA = {"prompt": SAY, "max_gen_len": 99}

CASES: list[Any] = [
    pytest.param(gemini_call(), of_gemini, id="gemini"),
    pytest.param(gemini_call(config=THINKING), of_gemini, id="gemini-thinking"),
    pytest.param(
        with_client(
            gemini,
            lambda client: drained(client.models.generate_content_stream(model="gemini-2.5-pro", contents=SAY)),
        ),
        of_gemini,
        id="gemini-stream",
    ),
    pytest.param(
        with_client(
            gemini,
            lambda client: drained(
                client.models.generate_content_stream(model="gemini-2.5-pro", contents=SAY, config=THINKING)
            ),
        ),
        of_gemini,
        id="gemini-stream-thinking",
    ),
    pytest.param(lambda url: asyncio.run(gemini_async(url, is_stream=False)), of_gemini, id="gemini-async"),
    pytest.param(lambda url: asyncio.run(gemini_async(url, is_stream=True)), of_gemini, id="gemini-async-stream"),
    pytest.param(
        with_client(
            gemini, lambda client: client.models.embed_content(model="gemini-embedding-001", contents=["one two"])
        ),
        lambda usage: {"input_tokens": usage["promptTokenCount"]},
        id="gemini-embeddings",
    ),
    pytest.param(
        with_client(
            gemini,
            lambda client: client.interactions.create(
                model="gemini-3-flash-preview", input=SAY, generation_config={"thinking_level": "low"}
            ),
        ),
        of_interactions,
        id="gemini-interaction",
    ),
    pytest.param(
        with_client(
            gemini,
            lambda client: drained(client.interactions.create(model="gemini-3-flash-preview", input=SAY, stream=True)),
        ),
        of_interactions,
        id="gemini-interaction-stream",
    ),
    pytest.param(
        with_client(mistral, lambda client: client.beta.conversations.start(model="mistral-medium-latest", inputs=SAY)),
        of_openai,
        id="mistral-conversation",
    ),
    pytest.param(
        with_client(
            mistral,
            lambda client: drained(client.beta.conversations.start_stream(model="mistral-medium-latest", inputs=SAY)),
        ),
        of_openai,
        id="mistral-conversation-stream",
    ),
    pytest.param(
        with_client(mistral, lambda client: client.chat.complete(model="mistral-large-latest", messages=CHAT)),
        of_openai,
        id="mistral",
    ),
    pytest.param(
        with_client(
            mistral,
            lambda client: drained(client.chat.stream(model="mistral-large-latest", messages=CHAT)),
        ),
        of_openai,
        id="mistral-stream",
    ),
    pytest.param(lambda url: asyncio.run(mistral_async(url)), of_openai, id="mistral-async-stream"),
    pytest.param(
        with_client(mistral, lambda client: client.agents.complete(agent_id="ag", messages=CHAT)),
        of_openai,
        id="mistral-agent",
    ),
    pytest.param(
        with_client(mistral, lambda client: client.fim.complete(model="codestral-latest", prompt="a", suffix="b")),
        of_openai,
        id="mistral-code",
    ),
    pytest.param(
        with_client(mistral, lambda client: client.embeddings.create(model="mistral-embed", inputs=["one two"])),
        of_openai,
        id="mistral-embeddings",
    ),
    pytest.param(
        with_client(mistral, lambda client: client.ocr.process(model="mistral-ocr-latest", document=DOCUMENT)),
        pages,
        id="mistral-ocr",
    ),
    pytest.param(
        with_client(lambda url: cohere_of(cohere.ClientV2, url), lambda client: client.chat(**SECOND)),
        of_cohere,
        id="cohere",
    ),
    pytest.param(
        with_client(lambda url: cohere_of(cohere.ClientV2, url), lambda client: drained(client.chat_stream(**SECOND))),
        of_cohere,
        id="cohere-stream",
    ),
    pytest.param(lambda url: asyncio.run(cohere_async(url)), of_cohere, id="cohere-async-stream"),
    pytest.param(
        with_client(lambda url: cohere_of(cohere.Client, url), lambda client: client.chat(**FIRST)),
        of_cohere,
        id="cohere-1",
    ),
    pytest.param(
        with_client(lambda url: cohere_of(cohere.Client, url), lambda client: drained(client.chat_stream(**FIRST))),
        of_cohere,
        id="cohere-1-stream",
    ),
    pytest.param(
        with_client(
            lambda url: cohere_of(cohere.ClientV2, url),
            lambda client: client.embed(
                model="embed-v4.0", input_type="search_query", texts=["one two"], embedding_types=["float"]
            ),
        ),
        of_cohere,
        id="cohere-embeddings",
    ),
    pytest.param(
        with_client(
            lambda url: cohere_of(cohere.ClientV2, url),
            lambda client: client.rerank(model="rerank-v3.5", query="a", documents=["a"] * 101),
        ),
        of_cohere,
        id="cohere-rerank",
    ),
    pytest.param(with_client(bedrock, lambda client: client.converse(**CONVERSE)), of_converse, id="bedrock-converse"),
    pytest.param(
        with_client(
            bedrock,
            lambda client: client.converse(**CONVERSE, system=[{"text": LONG}, {"cachePoint": {"type": "default"}}]),
        ),
        of_converse,
        id="bedrock-converse-cache",
    ),
    pytest.param(
        with_client(bedrock, lambda client: drained(client.converse_stream(**CONVERSE)["stream"])),
        of_converse,
        id="bedrock-converse-stream",
    ),
    pytest.param(
        with_client(bedrock, lambda client: invoked(client, CLAUDE, MESSAGES)), of_messages, id="bedrock-claude"
    ),
    pytest.param(
        with_client(bedrock, lambda client: invoked_stream(client, CLAUDE, MESSAGES)),
        of_messages,
        id="bedrock-claude-stream",
    ),
    pytest.param(
        with_client(
            bedrock, lambda client: invoked(client, "amazon.nova-lite-v1:0", {"messages": CONVERSE["messages"]})
        ),
        of_converse,
        id="bedrock-nova",
    ),
    pytest.param(
        with_client(
            bedrock, lambda client: invoked_stream(client, "amazon.nova-lite-v1:0", {"messages": CONVERSE["messages"]})
        ),
        of_converse,
        id="bedrock-nova-stream",
    ),
    pytest.param(
        with_client(bedrock, lambda client: invoked(client, "meta.llama3-1-8b-instruct-v1:0", LLAMA)),
        of_llama,
        id="bedrock-llama",
    ),
    pytest.param(
        with_client(bedrock, lambda client: invoked(client, "amazon.titan-embed-text-v2:0", TITAN)),
        lambda usage: {"input_tokens": usage["inputTextTokenCount"]},
        id="bedrock-titan-embeddings",
    ),
    pytest.param(
        with_client(ollama_of, lambda client: client.chat(model="llama3.2", messages=CHAT)), of_ollama, id="ollama"
    ),
    pytest.param(
        with_client(ollama_of, lambda client: drained(client.chat(model="llama3.2", messages=CHAT, stream=True))),
        of_ollama,
        id="ollama-stream",
    ),
    pytest.param(lambda url: asyncio.run(ollama_async(url)), of_ollama, id="ollama-async-stream"),
    pytest.param(
        with_client(ollama_of, lambda client: client.generate(model="llama3.2", prompt=SAY)),
        of_ollama,
        id="ollama-generate",
    ),
    pytest.param(
        with_client(ollama_of, lambda client: client.embed(model="nomic-embed-text", input="one two")),
        of_ollama,
        id="ollama-embeddings",
    ),
    pytest.param(
        with_client(
            lambda url: groq.Groq(base_url=url, api_key="local"),
            lambda client: client.chat.completions.create(model="llama-3.3-70b-versatile", messages=CHAT),
        ),
        of_openai,
        id="groq",
    ),
    pytest.param(
        with_client(
            lambda url: together.Together(base_url=url, api_key="local"),
            lambda client: client.chat.completions.create(model="m", messages=CHAT),
        ),
        of_openai,
        id="together",
    ),
    pytest.param(
        with_client(
            lambda url: openai.AzureOpenAI(azure_endpoint=url, api_key="local", api_version="2025-01-01"),
            lambda client: client.chat.completions.create(model="gpt-4o", messages=CHAT),
        ),
        of_openai,
        id="azure",
    ),
    pytest.param(
        with_client(
            lambda url: InferenceClient(base_url=f"{url}/v1", api_key="local"),
            lambda client: client.chat_completion(messages=CHAT, model="m"),
        ),
        of_openai,
        id="huggingface",
    ),
    pytest.param(
        with_client(
            lambda url: openai.OpenAI(base_url=f"{url}/v1", api_key="local"),
            lambda client: client.images.generate(model="gpt-image-1", prompt="a cat"),
        ),
        of_images,
        id="openai-images",
    ),
    pytest.param(
        with_client(
            lambda url: openai.OpenAI(base_url=f"{url}/v1", api_key="local"),
            lambda client: client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", bytes(32_000))),
        ),
        of_transcription,
        id="openai-transcription",
    ),
    pytest.param(
        with_client(
            lambda url: openai.OpenAI(base_url=f"{url}/v1", api_key="local"),
            lambda client: client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", bytes(32_000))),
        ),
        lambda usage: {"audio_milliseconds": usage["seconds"] * 1000},
        id="openai-transcription-by-length",
    ),
]


@pytest.mark.parametrize(("call", "counts"), CASES)
def test_a_call_is_charged_once_with_what_the_provider_counted(
    process: Process, server: ProviderServer, call: Calls, counts: Callable[[Any], Counts]
) -> None:
    call(server.url)

    (exchange,) = server.requests
    expected = {unit: count for unit, count in counts(exchange.usage).items() if count}
    charge = process.charge
    assert charge.usage.counts == expected
    assert charge.method == "reported"
