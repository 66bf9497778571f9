"""Calls whose spans are recorded: every provider's SDK, plain, streamed, cached, reasoning, with tools, failing.

Each prompt ends in the name of its case, by which the local provider knows which usage it has to report.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import closing, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from examples.provider_server.script import Rule

Call = Callable[[str], str | None]
"""From the address of the server to the answer's id, if the provider gives one."""

WORDS = "Say it in 12 words."
_TOOL: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

_CHAT = {
    "prompt_tokens": 3000,
    "completion_tokens": 500,
    "total_tokens": 3500,
    "prompt_tokens_details": {"cached_tokens": 2048, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 320},
}
_RESPONSES = {
    "input_tokens": 3000,
    "input_tokens_details": {"cached_tokens": 2048},
    "output_tokens": 500,
    "output_tokens_details": {"reasoning_tokens": 320},
    "total_tokens": 3500,
}
_CLAUDE = {"input_tokens": 100, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 0}
_CLAUDE_5M = _CLAUDE | {
    "cache_creation_input_tokens": 500,
    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 0},
}
_CLAUDE_1H = _CLAUDE | {
    "cache_creation_input_tokens": 500,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400},
}
_GEMINI = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 400,
    "candidatesTokenCount": 150,
    "thoughtsTokenCount": 50,
    "totalTokenCount": 1200,
}
_BEDROCK = {
    "inputTokens": 100,
    "outputTokens": 50,
    "totalTokens": 1050,
    "cacheReadInputTokens": 800,
    "cacheWriteInputTokens": 100,
}

RULES = [
    Rule(path="*/chat/completions", contains="case chat-cached", usage=_CHAT),
    Rule(path="*/responses", contains="case response-cached", usage=_RESPONSES),
    Rule(path="*/messages", contains="case claude-cached", usage=_CLAUDE),
    Rule(path="*/messages", contains="case claude-5m", usage=_CLAUDE_5M),
    Rule(path="*/messages", contains="case claude-1h", usage=_CLAUDE_1H),
    Rule(path="*/messages", contains="case claude-search", usage={"server_tool_use": {"web_search_requests": 2}}),
    Rule(path="*enerateContent", contains="case gemini-cached", usage=_GEMINI),
    Rule(
        path="*enerateContent",
        contains="case gemini-tool-use",
        usage=_GEMINI | {"toolUsePromptTokenCount": 30, "totalTokenCount": 1230},
    ),
    Rule(path="*/converse*", contains="case bedrock-cached", usage=_BEDROCK),
]


PAID = {
    "chat-openrouter": "openrouter",
    "chat-groq": "groq",
    "chat-deepseek": "deepseek",
    "chat-azure": "azure.ai.openai",
    "groq": "groq",
    "groq-stream": "groq",
    "litellm-claude": "anthropic",
    "litellm-claude-stream": "anthropic",
}
"""Call → who is paid for it, where the local server's address does not tell."""


def _say(case: str) -> str:
    return f"{WORDS} case {case}"


def _messages(case: str) -> list[Any]:
    return [{"role": "user", "content": _say(case)}]


def _chat(case: str, *, host: str = "", **options: Any) -> Call:
    def call(url: str) -> str | None:
        openai: Any = import_module("openai")
        with openai.OpenAI(base_url=host or url + "/v1", api_key="k", max_retries=0, **_there(url, host)) as client:
            asked = {"model": "gpt-4o-mini", "messages": _messages(case), **options}
            answer = client.chat.completions.create(**asked)
            return [chunk.id for chunk in answer][-1] if options.get("stream") else answer.id

    return call


def _azure(case: str) -> Call:
    def call(url: str) -> str | None:
        openai: Any = import_module("openai")
        host = "https://acme.openai.azure.com"
        options = {"azure_endpoint": host, "api_version": "2024-10-21", "api_key": "k", "max_retries": 0}
        with openai.AzureOpenAI(**options, **_there(url, host)) as client:
            return client.chat.completions.create(model="gpt-4o-mini", messages=_messages(case)).id

    return call


def _there(url: str, host: str) -> dict[str, Any]:
    """Lead what is meant for a provider's own host to the local server."""
    if not host:
        return {}
    openai: Any = import_module("openai")
    base = next(each.__module__.partition(".")[0] for each in openai.DefaultHttpxClient.__mro__[1:])
    http: Any = import_module(base)

    class Elsewhere(http.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            request.url = http.URL(f"{url}{request.url.raw_path.decode()}")
            return http.HTTPTransport.handle_request(self, request)

    return {"http_client": http.Client(transport=Elsewhere())}


def _response(case: str, **options: Any) -> Call:
    def call(url: str) -> str | None:
        openai: Any = import_module("openai")
        with openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
            answer = client.responses.create(**{"model": "gpt-4o-mini", "input": _say(case), **options})
            return list(answer)[-1].response.id if options.get("stream") else answer.id

    return call


def _embedding(url: str) -> None:
    openai: Any = import_module("openai")
    with openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
        client.embeddings.create(model="text-embedding-3-small", input=["one", "two words"])


def _image(url: str) -> None:
    openai: Any = import_module("openai")
    with openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
        client.images.generate(model="gpt-image-1", prompt="a cat", size="1024x1024", quality="low")


def _claude(case: str, **options: Any) -> Call:
    def call(url: str) -> str | None:
        anthropic: Any = import_module("anthropic")
        with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
            asked = {"model": "claude-sonnet-4-5", "max_tokens": 200, "messages": _messages(case), **options}
            answer = client.messages.create(**asked)
            return next(e.message.id for e in list(answer) if hasattr(e, "message")) if "stream" in asked else answer.id

    return call


def _claude_helper(url: str) -> str | None:
    anthropic: Any = import_module("anthropic")
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        asked: Any = {"model": "claude-sonnet-4-5", "max_tokens": 200, "messages": _messages("claude-helper")}
        with client.messages.stream(**asked) as events:
            return events.get_final_message().id


def _gemini(case: str, *, is_stream: bool = False, **config: Any) -> Call:
    def call(url: str) -> str | None:
        genai: Any = import_module("google.genai")
        with genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=url)) as client:
            asked = {"model": "gemini-2.5-flash", "contents": _say(case), "config": config or None}
            if is_stream:
                return list(client.models.generate_content_stream(**asked))[-1].response_id
            return client.models.generate_content(**asked).response_id

    return call


def _gemini_embedding(url: str) -> None:
    genai: Any = import_module("google.genai")
    with genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=url)) as client:
        client.models.embed_content(model="gemini-embedding-001", contents=["one", "two words"])


def _bedrock(call: Callable[[Any], object]) -> Call:
    def once(url: str) -> None:
        boto3: Any = import_module("boto3")
        config: Any = import_module("botocore.config")
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "k", "region_name": "us-east-1"}
        once_only = config.Config(retries={"total_max_attempts": 1})
        with closing(boto3.client("bedrock-runtime", endpoint_url=url, config=once_only, **keys)) as client:
            call(client)

    return once


_ON_BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def _converse(case: str, model: str = _ON_BEDROCK) -> Any:
    return {"modelId": model, "messages": [{"role": "user", "content": [{"text": _say(case)}]}]}


def _invoke(case: str) -> Any:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200, "messages": _messages(case)}
    return {"modelId": _ON_BEDROCK, "body": json.dumps(body)}


def _mistral(case: str, *, is_stream: bool = False) -> Call:
    def call(url: str) -> str | None:
        sdk: Any = import_module("mistralai.client")
        with sdk.Mistral(api_key="k", server_url=url + "/mistral") as client:
            asked: Any = {"model": "mistral-small-latest", "messages": _messages(case)}
            if is_stream:
                return [event.data.id for event in client.chat.stream(**asked)][-1]
            return client.chat.complete(**asked).id

    return call


def _cohere(ask: Callable[[Any], str | None]) -> Call:
    def call(url: str) -> str | None:
        cohere: Any = import_module("cohere")
        http: Any = import_module("httpx")
        with http.Client() as client:
            return ask(cohere.ClientV2(api_key="k", base_url=url, httpx_client=client))

    return call


_COMMAND: Any = {"model": "command-a-03-2025", "messages": _messages("cohere")}
_EMBED: Any = {"model": "embed-v4.0", "input_type": "search_query", "texts": ["one two"], "embedding_types": ["float"]}


def _cohere_stream(client: Any) -> str | None:
    return next(event.id for event in list(client.chat_stream(**_COMMAND)) if event.type == "message-start")


def _groq(*, is_stream: bool = False) -> Call:
    def call(url: str) -> str | None:
        groq: Any = import_module("groq")
        with groq.Groq(api_key="k", base_url=url, max_retries=0) as client:
            asked: Any = {"model": "llama-3.3-70b-versatile", "messages": _messages("groq"), "stream": is_stream}
            answer = client.chat.completions.create(**asked)
            return [chunk.id for chunk in answer][-1] if is_stream else answer.id

    return call


def _ollama(url: str) -> None:
    import_module("ollama").Client(host=url).chat(model="llama3.2", messages=_messages("ollama"))


def _litellm(case: str, model: str, path: str = "", **options: Any) -> Call:
    def call(url: str) -> str | None:
        litellm: Any = import_module("litellm")
        asked = {"model": model, "messages": _messages(case), "api_key": "k", "api_base": url + path, "max_retries": 0}
        answer = litellm.completion(**asked, **options)
        return [chunk.id for chunk in answer][-1] if options.get("stream") else answer.id

    return call


def _pydantic_ai(case: str, maker: str, model: str) -> Call:
    def call(url: str) -> str | None:
        models: Any = import_module(f"pydantic_ai.models.{maker.lower()}")
        providers: Any = import_module(f"pydantic_ai.providers.{maker.lower()}")
        by_name = {"OpenAI": "OpenAIChatModel", "Anthropic": "AnthropicModel"}[maker]
        base = url + "/v1" if maker == "OpenAI" else url
        provider = getattr(providers, f"{maker}Provider")(base_url=base, api_key="k")
        agent = import_module("pydantic_ai").Agent(getattr(models, by_name)(model, provider=provider), name="chef")
        return agent.run_sync(_say(case)).all_messages()[-1].provider_response_id

    return call


def _langchain(case: str, *, is_stream: bool = False) -> Call:
    def call(url: str) -> str | None:
        openai: Any = import_module("langchain_openai")
        chat = openai.ChatOpenAI(
            base_url=url + "/v1", api_key="k", model="gpt-5-mini", max_retries=0, stream_usage=True
        )
        if is_stream:
            return list(chat.stream(_say(case)))[-1].id
        return chat.invoke(_say(case)).response_metadata["id"]

    return call


def _adk(case: str) -> Call:
    async def main() -> None:
        agents: Any = import_module("google.adk.agents")
        runners: Any = import_module("google.adk.runners")
        types: Any = import_module("google.genai.types")
        runner = runners.InMemoryRunner(agents.LlmAgent(name="librarian", model="gemini-2.5-flash"), app_name="library")
        await runner.session_service.create_session(app_name="library", user_id="ada", session_id="s-1")
        asked = types.Content(role="user", parts=[types.Part(text=_say(case))])
        async for _ in runner.run_async(user_id="ada", session_id="s-1", new_message=asked):
            pass

    def call(url: str) -> None:
        os.environ.update(GOOGLE_GEMINI_BASE_URL=url, GOOGLE_API_KEY="k")
        asyncio.run(main())

    return call


def _failing(call: Call) -> Call:
    def failing(url: str) -> None:
        with suppress(Exception):
            call(url)

    return failing


_USAGE: Any = {"stream": True, "stream_options": {"include_usage": True}}
_CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": _TOOL}}]
_BAD: Any = {"extra_headers": {"x-fault": "429"}}

_BY_SDK: dict[str, dict[str, Call]] = {
    "openai": {
        "chat": _chat("chat"),
        "chat-cached": _chat("chat-cached", model="gpt-5-mini"),
        "chat-flex": _chat("chat-flex", model="gpt-5-mini", service_tier="flex"),
        "chat-tools": _chat("chat-tools", tools=_CHAT_TOOLS),
        "chat-stream": _chat("chat-stream", **_USAGE),
        "chat-stream-cached": _chat("chat-cached", model="gpt-5-mini", **_USAGE),
        "chat-stream-without-usage": _chat("chat-stream-without-usage", stream=True),
        "chat-error": _failing(_chat("chat-error", **_BAD)),
        "chat-openrouter": _chat("other-host", host="https://openrouter.ai/api/v1", model="openai/gpt-4o-mini"),
        "chat-groq": _chat("other-host", host="https://api.groq.com/openai/v1", model="llama-3.3-70b-versatile"),
        "chat-deepseek": _chat("other-host", host="https://api.deepseek.com/v1", model="deepseek-chat"),
        "chat-azure": _azure("other-host"),
        "response": _response("response"),
        "response-cached": _response("response-cached", model="gpt-5-mini"),
        "response-flex": _response("response-flex", model="gpt-5-mini", service_tier="flex"),
        "response-stream": _response("response-stream", stream=True),
        "response-stream-cached": _response("response-cached", model="gpt-5-mini", stream=True),
        "embedding": _embedding,
        "image": _image,
    },
    "anthropic": {
        "claude": _claude("claude"),
        "claude-cached": _claude("claude-cached"),
        "claude-5m": _claude("claude-5m"),
        "claude-1h": _claude("claude-1h"),
        "claude-search": _claude("claude-search"),
        "claude-tools": _claude("claude-tools", tools=[{"name": "weather", "input_schema": _TOOL}]),
        "claude-stream": _claude("claude-stream", stream=True),
        "claude-stream-cached": _claude("claude-cached", stream=True),
        "claude-stream-5m": _claude("claude-5m", stream=True),
        "claude-helper": _claude_helper,
        "claude-error": _failing(_claude("claude-error", **_BAD)),
    },
    "google.genai": {
        "gemini": _gemini("gemini"),
        "gemini-cached": _gemini("gemini-cached"),
        "gemini-tool-use": _gemini("gemini-tool-use"),
        "gemini-stream": _gemini("gemini-stream", is_stream=True),
        "gemini-stream-cached": _gemini("gemini-cached", is_stream=True),
        "gemini-embedding": _gemini_embedding,
        "gemini-error": _failing(_gemini("gemini-error", http_options={"headers": {"x-fault": "429"}})),
    },
    "boto3": {
        "converse": _bedrock(lambda client: client.converse(**_converse("converse"))),
        "converse-cached": _bedrock(lambda client: client.converse(**_converse("bedrock-cached"))),
        "converse-nova": _bedrock(lambda client: client.converse(**_converse("converse", "amazon.nova-lite-v1:0"))),
        "converse-stream": _bedrock(lambda client: list(client.converse_stream(**_converse("stream"))["stream"])),
        "converse-stream-cached": _bedrock(
            lambda client: list(client.converse_stream(**_converse("bedrock-cached"))["stream"])
        ),
        "invoke": _bedrock(lambda client: client.invoke_model(**_invoke("invoke"))["body"].read()),
        "invoke-stream": _bedrock(
            lambda client: list(client.invoke_model_with_response_stream(**_invoke("invoke"))["body"])
        ),
    },
    "mistralai.client": {
        "mistral": _mistral("mistral"),
        "mistral-stream": _mistral("mistral", is_stream=True),
    },
    "cohere": {
        "cohere": _cohere(lambda client: client.chat(**_COMMAND).id),
        "cohere-stream": _cohere(_cohere_stream),
        "cohere-embedding": _cohere(lambda client: client.embed(**_EMBED).id),
        "cohere-rerank": _cohere(
            lambda client: client.rerank(model="rerank-v3.5", query="one", documents=["one", "two"]).id
        ),
    },
    "groq": {"groq": _groq(), "groq-stream": _groq(is_stream=True)},
    "ollama": {"ollama": _ollama},
    "litellm": {
        "litellm": _litellm("litellm", "openai/gpt-4o-mini", "/v1"),
        "litellm-cached": _litellm("chat-cached", "openai/gpt-5-mini", "/v1"),
        "litellm-stream": _litellm("litellm", "openai/gpt-4o-mini", "/v1", stream=True),
        "litellm-claude": _litellm("claude-cached", "anthropic/claude-sonnet-4-5"),
        "litellm-claude-stream": _litellm("claude-cached", "anthropic/claude-sonnet-4-5", stream=True),
    },
    "pydantic_ai": {
        "pydantic-ai": _pydantic_ai("chat", "OpenAI", "gpt-4o-mini"),
        "pydantic-ai-cached": _pydantic_ai("chat-cached", "OpenAI", "gpt-5-mini"),
        "pydantic-ai-claude": _pydantic_ai("claude-cached", "Anthropic", "claude-sonnet-4-5"),
        "pydantic-ai-claude-5m": _pydantic_ai("claude-5m", "Anthropic", "claude-sonnet-4-5"),
    },
    "langchain_openai": {
        "langchain": _langchain("chat"),
        "langchain-cached": _langchain("chat-cached"),
        "langchain-stream-cached": _langchain("chat-cached", is_stream=True),
    },
    "google.adk": {
        "adk": _adk("gemini"),
        "adk-cached": _adk("gemini-cached"),
        "adk-tool-use": _adk("gemini-tool-use"),
    },
}


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False


CALLS: dict[str, Call] = {
    name: call for sdk, calls in _BY_SDK.items() if _is_there(sdk) for name, call in calls.items()
}
