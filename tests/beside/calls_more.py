"""Calls of the SDKs that have no wrapper of their own, of Amazon's, and of those that took after OpenAI's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing
from typing import Any

import boto3
import cohere
import groq
import httpx
import ollama
import together
from botocore.config import Config
from botocore.eventstream import EventStream as AmazonStream
from mistralai.client import Mistral, models
from mistralai.client.utils.eventstreaming import EventStream, EventStreamAsync

from tests.beside.kinds import of_type

SAY = "Say it in 30 words"
CHAT: Any = [{"role": "user", "content": SAY}]
MISTRAL: Any = {"model": "mistral-small-latest", "messages": CHAT}
COHERE: Any = {"model": "command-a-03-2025", "messages": CHAT}
GROQ: Any = {"model": "llama-3.3-70b-versatile", "messages": CHAT}
TOGETHER: Any = {"model": "meta-llama/Llama-3.3-70B-Instruct-Turbo", "messages": CHAT}
OLLAMA: Any = {"model": "llama3.2", "messages": CHAT}
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
CONVERSE: Any = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": SAY}]}]}
INVOKE: Any = {
    "modelId": CLAUDE,
    "body": json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200, "messages": CHAT}),
}
DOCUMENT: Any = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
WORDS = 30


def mistral_chat(client: Mistral) -> None:
    of_type(client.chat.complete(**MISTRAL), models.ChatCompletionResponse)


def mistral_stream(client: Mistral) -> None:
    stream = client.chat.stream(**MISTRAL)
    of_type(stream, EventStream)
    assert _words(event.data.choices[0].delta.content for event in stream) == WORDS


async def mistral_async(client: Mistral) -> None:
    of_type(await client.chat.complete_async(**MISTRAL), models.ChatCompletionResponse)


async def mistral_async_stream(client: Mistral) -> None:
    stream = await client.chat.stream_async(**MISTRAL)
    of_type(stream, EventStreamAsync)
    assert _words([event.data.choices[0].delta.content async for event in stream]) == WORDS


def mistral_embedding(client: Mistral) -> None:
    found = client.embeddings.create(model="mistral-embed", inputs=["one two"])
    of_type(found, models.EmbeddingResponse)


def mistral_code(client: Mistral) -> None:
    assert client.fim.complete(model="codestral-latest", prompt="a", suffix="b").choices


def mistral_ocr(client: Mistral) -> None:
    of_type(client.ocr.process(model="mistral-ocr-latest", document=DOCUMENT), models.OCRResponse)


def cohere_chat(client: cohere.ClientV2) -> None:
    assert isinstance(client.chat(**COHERE), cohere.V2ChatResponse)


def cohere_stream(client: cohere.ClientV2) -> None:
    assert [event.type for event in client.chat_stream(**COHERE)][-1] == "message-end"


def cohere_embedding(client: cohere.ClientV2) -> None:
    found = client.embed(model="embed-v4.0", input_type="search_query", texts=["one two"], embedding_types=["float"])
    of_type(found, cohere.EmbedByTypeResponse)


def cohere_rerank(client: cohere.ClientV2) -> None:
    found = client.rerank(model="rerank-v3.5", query="one", documents=["one", "two"])
    assert isinstance(found, cohere.V2RerankResponse)


async def cohere_async(client: cohere.AsyncClientV2) -> None:
    assert isinstance(await client.chat(**COHERE), cohere.V2ChatResponse)


async def cohere_async_stream(client: cohere.AsyncClientV2) -> None:
    assert [event.type async for event in client.chat_stream(**COHERE)][-1] == "message-end"


def groq_chat(client: groq.Groq) -> None:
    of_type(client.chat.completions.create(**GROQ), groq.types.chat.ChatCompletion)


def groq_stream(client: groq.Groq) -> None:
    stream = client.chat.completions.create(**GROQ, stream=True)
    of_type(stream, groq.Stream)
    assert _words(chunk.choices[0].delta.content for chunk in stream if chunk.choices) == WORDS


async def groq_async(client: groq.AsyncGroq) -> None:
    of_type(await client.chat.completions.create(**GROQ), groq.types.chat.ChatCompletion)


async def groq_async_stream(client: groq.AsyncGroq) -> None:
    stream = await client.chat.completions.create(**GROQ, stream=True)
    of_type(stream, groq.AsyncStream)
    assert _words([chunk.choices[0].delta.content async for chunk in stream if chunk.choices]) == WORDS


def together_chat(client: together.Together) -> None:
    assert client.chat.completions.create(**TOGETHER).choices


def together_stream(client: together.Together) -> None:
    stream = client.chat.completions.create(**TOGETHER, stream=True)
    of_type(stream, together.Stream)
    assert _words(chunk.choices[0].delta.content for chunk in stream if chunk.choices) == WORDS


async def together_async(client: together.AsyncTogether) -> None:
    assert (await client.chat.completions.create(**TOGETHER)).choices


def ollama_chat(client: ollama.Client) -> None:
    of_type(client.chat(**OLLAMA), ollama.ChatResponse)


def ollama_stream(client: ollama.Client) -> None:
    assert _words(part.message.content for part in client.chat(**OLLAMA, stream=True)) == WORDS


def ollama_generate(client: ollama.Client) -> None:
    of_type(client.generate(model="llama3.2", prompt=SAY), ollama.GenerateResponse)


def ollama_embedding(client: ollama.Client) -> None:
    of_type(client.embed(model="nomic-embed-text", input="one two"), ollama.EmbedResponse)


async def ollama_async(client: ollama.AsyncClient) -> None:
    of_type(await client.chat(**OLLAMA), ollama.ChatResponse)


async def ollama_async_stream(client: ollama.AsyncClient) -> None:
    assert _words([part.message.content async for part in await client.chat(**OLLAMA, stream=True)]) == WORDS


def bedrock_converse(client: Any) -> None:
    assert client.converse(**CONVERSE)["usage"]["outputTokens"]


def bedrock_converse_stream(client: Any) -> None:
    stream = client.converse_stream(**CONVERSE)["stream"]
    of_type(stream, AmazonStream)
    deltas = (event["contentBlockDelta"]["delta"] for event in stream if "contentBlockDelta" in event)
    assert _words(delta.get("text") for delta in deltas) == WORDS


def bedrock_invoke(client: Any) -> None:
    assert json.loads(client.invoke_model(**INVOKE)["body"].read())["content"]


def bedrock_invoke_stream(client: Any) -> None:
    stream = client.invoke_model_with_response_stream(**INVOKE)["body"]
    of_type(stream, AmazonStream)
    assert [json.loads(event["chunk"]["bytes"])["type"] for event in stream][-1] == "message_stop"


def _words(texts: Any) -> int:
    return len("".join(text or "" for text in texts).split())


def _mistral(url: str) -> Mistral:
    return Mistral(api_key="k", server_url=url + "/mistral")


def _bedrock(url: str) -> closing[Any]:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="k",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return closing(client)


class _Cohere:
    """Closes the HTTP client, which the SDK does not."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> cohere.ClientV2:
        self._http: Any = httpx.Client()
        return cohere.ClientV2(api_key="k", base_url=self._url, httpx_client=self._http)

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    async def __aenter__(self) -> cohere.AsyncClientV2:
        self._http = httpx.AsyncClient()
        return cohere.AsyncClientV2(api_key="k", base_url=self._url, httpx_client=self._http)

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()


def _once(make: Callable[[str], AbstractContextManager[Any]], call: Callable[[Any], None]) -> Callable[[str], None]:
    def once(url: str) -> None:
        with make(url) as client:
            call(client)

    return once


def _async_once(
    make: Callable[[str], AbstractAsyncContextManager[Any]], call: Callable[[Any], Awaitable[None]]
) -> Callable[[str], None]:
    async def main(url: str) -> None:
        async with make(url) as client:
            await call(client)

    return lambda url: asyncio.run(main(url))


_SYNC: list[tuple[Any, list[Callable[[Any], None]]]] = [
    (_mistral, [mistral_chat, mistral_stream, mistral_embedding, mistral_code, mistral_ocr]),
    (_Cohere, [cohere_chat, cohere_stream, cohere_embedding, cohere_rerank]),
    (lambda url: groq.Groq(api_key="k", base_url=url, max_retries=0), [groq_chat, groq_stream]),
    (
        lambda url: together.Together(api_key="k", base_url=url, max_retries=0),
        [together_chat, together_stream],
    ),
    (lambda url: ollama.Client(host=url), [ollama_chat, ollama_stream, ollama_generate, ollama_embedding]),
    (_bedrock, [bedrock_converse, bedrock_converse_stream, bedrock_invoke, bedrock_invoke_stream]),
]
_ASYNC: list[tuple[Any, list[Callable[[Any], Awaitable[None]]]]] = [
    (_mistral, [mistral_async, mistral_async_stream]),
    (_Cohere, [cohere_async, cohere_async_stream]),
    (lambda url: groq.AsyncGroq(api_key="k", base_url=url, max_retries=0), [groq_async, groq_async_stream]),
    (lambda url: together.AsyncTogether(api_key="k", base_url=url, max_retries=0), [together_async]),
    (lambda url: ollama.AsyncClient(host=url), [ollama_async, ollama_async_stream]),
]

CALLS_MORE: dict[str, Callable[[str], None]] = {
    **{call.__name__: _once(make, call) for make, calls in _SYNC for call in calls},
    **{call.__name__: _async_once(make, call) for make, calls in _ASYNC for call in calls},
}
