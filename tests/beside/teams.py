"""Who else is at work, in which order; what they make spans of, and what they change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import permutations
from typing import Literal

OTHERS: Mapping[str, tuple[str, ...]] = {
    "official": (
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
        "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
        "opentelemetry.instrumentation.genai.bedrock:BedrockInstrumentor",
        "opentelemetry.instrumentation.genai.langchain:LangChainInstrumentor",
        "opentelemetry.instrumentation.genai.openai_agents:OpenAIAgentsInstrumentor",
    ),
    "traceloop": (
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
        "opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",
        "opentelemetry.instrumentation.bedrock:BedrockInstrumentor",
        "opentelemetry.instrumentation.groq:GroqInstrumentor",
        "opentelemetry.instrumentation.ollama:OllamaInstrumentor",
        "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
    ),
    "openinference": (
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
        "openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
        "openinference.instrumentation.bedrock:BedrockInstrumentor",
        "openinference.instrumentation.mistralai:MistralAIInstrumentor",
        "openinference.instrumentation.cohere:CohereInstrumentor",
        "openinference.instrumentation.groq:GroqInstrumentor",
        "openinference.instrumentation.together:TogetherInstrumentor",
        "openinference.instrumentation.ollama:OllamaInstrumentor",
        "openinference.instrumentation.langchain:LangChainInstrumentor",
        "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
    ),
    "logfire": ("tests.beside.starters:Logfire",),
    "http": (
        "opentelemetry.instrumentation.httpx:HTTPXClientInstrumentor",
        "opentelemetry.instrumentation.httpx:HTTPX2ClientInstrumentor",
        "opentelemetry.instrumentation.requests:RequestsInstrumentor",
        "opentelemetry.instrumentation.urllib3:URLLib3Instrumentor",
        "opentelemetry.instrumentation.aiohttp_client:AioHttpClientInstrumentor",
        "opentelemetry.instrumentation.botocore:BotocoreInstrumentor",
    ),
    "openlit": ("tests.beside.starters:Openlit",),
    "litellm": (
        "openinference.instrumentation.litellm:LiteLLMInstrumentor",
        "openinference.instrumentation.openai:OpenAIInstrumentor",
    ),
}
"""Who → their instrumentors."""

NATIVE = "+native"
"""Marks a call that anthropic makes a span of itself."""
IS_OLDER = find_spec("openlit") is not None
"""This is the environment of those who know SDKs up to openai 2 and anthropic 0 only."""

_MISTRAL = ("chat", "stream", "async", "async_stream", "embedding", "code", "ocr")
_COHERE = ("chat", "stream", "async", "async_stream", "embedding", "rerank")
_GROQ = ("chat", "stream", "async", "async_stream")
_TOGETHER = ("chat", "stream", "async")
_OLLAMA = ("chat", "stream", "generate", "embedding", "async", "async_stream")
_BEDROCK = ("converse", "converse_stream", "invoke", "invoke_stream")
_GEMINI = ("generated", "generated_stream", "gemini_embedding", "agenerated", "agenerated_stream")
_OPENAI = (
    *("chat", "chat_stream", "chat_stream_left", "chat_raw", "response", "response_stream", "response_stream_helper"),
    *("embedding", "achat", "achat_stream", "aresponse", "aresponse_stream", "aembedding"),
)
THROUGH_FRAMEWORKS = ("langchain_chain", "langchain_stream", "langchain_async", "agent_responses", "agent_chat")


def _none(sdk: str, calls: Iterable[str]) -> dict[str, int]:
    return {f"{sdk}_{call}": 0 for call in calls}


SPANS: Mapping[str, Mapping[str, int]] = {
    "official": {
        **_none("mistral", _MISTRAL),
        **_none("cohere", _COHERE),
        **_none("groq", _GROQ),
        **_none("together", _TOGETHER),
        **_none("ollama", _OLLAMA),
    },
    "traceloop": {
        "gemini_embedding": 0,
        **_none("mistral", _MISTRAL),
        **_none("cohere", _COHERE),
        **_none("together", _TOGETHER),
        "ollama_embedding": 0,
    },
    "openinference": {
        **_none("mistral", ("embedding", "code", "ocr")),
        **_none("ollama", ("generate", "embedding")),
        **dict.fromkeys(THROUGH_FRAMEWORKS, 2),  # one of the framework, one of openai's SDK
    },
    "logfire": {
        **dict.fromkeys(_GEMINI, 0),
        **_none("mistral", _MISTRAL),
        **_none("cohere", _COHERE),
        **_none("groq", _GROQ),
        **_none("together", _TOGETHER),
        **_none("ollama", _OLLAMA),
        **_none("bedrock", _BEDROCK),
    },
    "http": {f"bedrock_{call}": 1 for call in _BEDROCK},  # botocore's instrumentor knows what Bedrock is
    "openlit": {
        "gemini_embedding": 0,
        **_none("mistral", _MISTRAL),
        "cohere_rerank": 0,
        **_none("together", _TOGETHER),
        "ollama_embedding": 0,
        **_none("bedrock", ("invoke", "invoke_stream")),
    },
    "litellm": {
        **dict.fromkeys(_OPENAI, 1),
        **dict.fromkeys(("litellm_chat", "litellm_stream", "litellm_async"), 2),  # one of litellm, one of openai's SDK
    },
}
"""Who → how many spans of theirs are about a call; where nothing is said, those in `ONLY` make none, the others one."""
ONLY = ("http", "litellm")

LOSES = {"openlit": {"chat_stream_left", "bedrock_converse_stream", "litellm_stream"}}
"""Who begins a span for which calls, and never ends it."""

NOT_CONFIRMED = {
    **dict.fromkeys(("chat_stream_left", "groq_stream", "groq_async_stream", "together_stream"), "estimated"),
    **{f"ollama_{call}": "unpriced" for call in _OLLAMA},
}
"""Calls whose answers do not tell what they used, or that have no price."""

BREAKS = {
    "traceloop": {"groq_stream", "groq_async_stream"},
    "openinference": {"mistral_async_stream"},
    "openlit": {
        *("chat_stream", "response_stream", "achat_stream", "aresponse_stream", "message_stream", "amessage_stream"),
        *("groq_stream", "groq_async_stream"),
    },
}
"""Who changes the type of what an SDK returns in which calls, with us or without."""

FAILING = (
    ({"openlit"}, "cohere_async_stream"),  # it makes a coroutine function of it
    ({"traceloop", "openinference"}, "bedrock_invoke"),  # each reads the body and leaves the other none
)
"""Who makes which call fail, with us or without."""


@dataclass(frozen=True, slots=True)
class Case:
    """Who is at work, in which order, and how we are told to treat spans."""

    team: tuple[str, ...]
    order: Literal["we-first", "we-last"] = "we-first"
    mode: Literal["auto", "own", "enrich", "off"] = "auto"

    def __str__(self) -> str:
        return "+".join((*self.team, self.order, *([] if self.mode == "auto" else [self.mode])))


def others_at(case: Case, call: str) -> int:
    """Say how many spans others make that are about a call."""
    made = sum(SPANS[name].get(call, 0 if name in ONLY else 1) for name in case.team if call not in LOSES.get(name, ()))
    return made + call.endswith(NATIVE)


def is_counted(case: Case, call: str) -> bool:
    """Tell whether that is known: some keep others from making spans inside of theirs."""
    return not ("logfire" in case.team and call.endswith(NATIVE)) and not (
        len(case.team) > 1 and call in THROUGH_FRAMEWORKS
    )


def is_usable(case: Case, call: str) -> bool:
    """Tell whether a call can be made at all."""
    return not any(names <= set(case.team) and call == failing for names, failing in FAILING)


MAIN = ("official", "traceloop", "openinference")
TEAMS: list[tuple[str, ...]] = [
    *((name,) for name in MAIN),
    *permutations(MAIN, 2),
    ("logfire",),
    ("http",),
    ("logfire", "openinference"),
    ("http", "official"),
]
OLDER_TEAMS: list[tuple[str, ...]] = [("openlit",), ("litellm",)]
MODES: tuple[Literal["own", "enrich", "off"], ...] = ("own", "enrich", "off")
CASES = [
    *(Case(team, order) for team in (OLDER_TEAMS if IS_OLDER else TEAMS) for order in ("we-first", "we-last")),
    *(Case(team, mode=mode) for team in ((("openlit",) if IS_OLDER else ("official",)), ()) for mode in MODES),
    Case(()),
]
