"""Every form of a call, each made once; what it returns must be of the SDK's own type."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types as gemini
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tests.beside.kinds import of_type
from tests.beside.teams import NATIVE

CHAT: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say it in 30 words"}]}
RESPONSE: Any = {"model": "gpt-4o-mini", "input": "Say it in 30 words"}
EMBEDDING: Any = {"model": "text-embedding-3-small", "input": ["one", "two words"]}
MESSAGE: Any = {
    "model": "claude-3-haiku-20240307",
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "Say it in 30 words"}],
}
GENERATED: Any = {"model": "gemini-2.5-flash", "contents": "Say it in 30 words"}


def chat(client: openai.OpenAI) -> None:
    of_type(client.chat.completions.create(**CHAT), ChatCompletion)


def chat_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**CHAT, stream=True)
    of_type(stream, openai.Stream)
    assert len("".join(chunk.choices[0].delta.content or "" for chunk in stream).split()) == 30


def chat_stream_left(client: openai.OpenAI) -> None:
    with client.chat.completions.create(**CHAT, stream=True) as stream:
        assert stream.response.status_code == 200
        next(iter(stream))


def chat_raw(client: openai.OpenAI) -> None:
    of_type(client.chat.completions.with_raw_response.create(**CHAT).parse(), ChatCompletion)


def response(client: openai.OpenAI) -> None:
    of_type(client.responses.create(**RESPONSE), Response)


def response_stream(client: openai.OpenAI) -> None:
    stream = client.responses.create(**RESPONSE, stream=True)
    of_type(stream, openai.Stream)
    assert [event.type for event in stream][-1] == "response.completed"


def response_stream_helper(client: openai.OpenAI) -> None:
    with client.responses.stream(**RESPONSE) as events:
        assert events.get_final_response().output_text


def embedding(client: openai.OpenAI) -> None:
    of_type(client.embeddings.create(**EMBEDDING), CreateEmbeddingResponse)


async def achat(client: openai.AsyncOpenAI) -> None:
    of_type(await client.chat.completions.create(**CHAT), ChatCompletion)


async def achat_stream(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**CHAT, stream=True)
    of_type(stream, openai.AsyncStream)
    assert len("".join([chunk.choices[0].delta.content or "" async for chunk in stream]).split()) == 30


async def aresponse(client: openai.AsyncOpenAI) -> None:
    of_type(await client.responses.create(**RESPONSE), Response)


async def aresponse_stream(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(**RESPONSE, stream=True)
    of_type(stream, openai.AsyncStream)
    assert [event.type async for event in stream][-1] == "response.completed"


async def aembedding(client: openai.AsyncOpenAI) -> None:
    of_type(await client.embeddings.create(**EMBEDDING), CreateEmbeddingResponse)


def message(client: anthropic.Anthropic) -> None:
    of_type(client.messages.create(**MESSAGE), anthropic.types.Message)


def message_stream(client: anthropic.Anthropic) -> None:
    stream = client.messages.create(**MESSAGE, stream=True)
    of_type(stream, anthropic.Stream)
    assert [event.type for event in stream][-1] == "message_stop"


def message_stream_helper(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**MESSAGE) as events:
        assert events.get_final_message().content


async def amessage(client: anthropic.AsyncAnthropic) -> None:
    of_type(await client.messages.create(**MESSAGE), anthropic.types.Message)


async def amessage_stream(client: anthropic.AsyncAnthropic) -> None:
    stream = await client.messages.create(**MESSAGE, stream=True)
    of_type(stream, anthropic.AsyncStream)
    assert [event.type async for event in stream][-1] == "message_stop"


async def amessage_stream_helper(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(**MESSAGE) as events:
        assert (await events.get_final_message()).content


def generated(client: genai.Client) -> None:
    of_type(client.models.generate_content(**GENERATED), gemini.GenerateContentResponse)


def generated_stream(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(**GENERATED))
    assert len("".join(chunk.text or "" for chunk in chunks).split()) == 30


async def agenerated(client: genai.Client) -> None:
    of_type(await client.aio.models.generate_content(**GENERATED), gemini.GenerateContentResponse)


async def agenerated_stream(client: genai.Client) -> None:
    chunks = [chunk async for chunk in await client.aio.models.generate_content_stream(**GENERATED)]
    assert len("".join(chunk.text or "" for chunk in chunks).split()) == 30


def gemini_embedding(client: genai.Client) -> None:
    found = client.models.embed_content(model="gemini-embedding-001", contents=["one", "two words"])
    of_type(found, gemini.EmbedContentResponse)


Sync = Callable[[Any], None]
Async = Callable[[Any], Awaitable[None]]

OPENAI: list[Sync] = [
    chat,
    chat_stream,
    chat_stream_left,
    chat_raw,
    response,
    response_stream,
    response_stream_helper,
    embedding,
]
ASYNC_OPENAI: list[Async] = [achat, achat_stream, aresponse, aresponse_stream, aembedding]
ANTHROPIC: list[Sync] = [message, message_stream, message_stream_helper]
ASYNC_ANTHROPIC: list[Async] = [amessage, amessage_stream, amessage_stream_helper]
GOOGLE: list[Sync] = [generated, generated_stream, gemini_embedding]
ASYNC_GOOGLE: list[Async] = [agenerated, agenerated_stream]

Once = Callable[[str], None]
"""Makes the call once, at the server of this address."""


def _once(kind: Callable[..., Any], call: Sync, path: str, **options: Any) -> Once:
    def once(url: str) -> None:
        with kind(base_url=url + path, api_key="k", max_retries=0, **options) as client:
            call(client)

    return once


def _async_once(kind: Callable[..., Any], call: Async, path: str, **options: Any) -> Once:
    async def main(url: str) -> None:
        async with kind(base_url=url + path, api_key="k", max_retries=0, **options) as client:
            await call(client)

    return lambda url: asyncio.run(main(url))


def _google_once(call: Sync | Async) -> Once:
    def once(url: str) -> None:
        with genai.Client(api_key="k", http_options=gemini.HttpOptions(base_url=url)) as client:
            waiting = call(client)
            if waiting is not None:
                asyncio.run(_google_main(client, waiting))

    return once


async def _google_main(client: genai.Client, waiting: Awaitable[None]) -> None:
    async with client.aio:
        await waiting


def _anthropic(**options: Any) -> dict[str, Once]:
    return {
        **{call.__name__: _once(anthropic.Anthropic, call, "", **options) for call in ANTHROPIC},
        **{call.__name__: _async_once(anthropic.AsyncAnthropic, call, "", **options) for call in ASYNC_ANTHROPIC},
    }


MAKES_SPANS = int(anthropic.__version__.partition(".")[0]) >= 2

CALLS: dict[str, Once] = {
    **{call.__name__: _once(openai.OpenAI, call, "/v1") for call in OPENAI},
    **{call.__name__: _async_once(openai.AsyncOpenAI, call, "/v1") for call in ASYNC_OPENAI},
    **({name + NATIVE: once for name, once in _anthropic().items()} if MAKES_SPANS else {}),
    **_anthropic(**({"open_telemetry": False} if MAKES_SPANS else {})),
    **{call.__name__: _google_once(call) for call in (*GOOGLE, *ASYNC_GOOGLE)},
}
