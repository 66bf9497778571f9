"""The calls an agent would write, of each SDK, by clients that read canned answers from memory."""

import os
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from answers import CANNED, MODELS

QUESTION = "Which of our twelve data centres used more power this week than the week before, and by how much? " * 4
SYSTEM = "You are a careful analyst. Answer in two sentences and name your source. " * 6
MESSAGES: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
USAGE_TOO: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
"""The caller asks for usage, so that every candidate has the same bytes to read and usage to report."""

Call = Callable[[], Any]


def call(sdk: str, chunks: int = 0, *, native_spans: bool = False) -> Call:
    """Return the call an agent would write: hands back the answer, or the unread stream of so many chunks.

    `native_spans` leaves the spans on that anthropic's SDK makes itself, its default since 2.x.
    """
    return _anthropic(chunks, native_spans=native_spans) if sdk == "anthropic" else _CALLS[sdk](chunks)


def transport(sdk: str, chunks: int, http: Any) -> Any:
    """Return what answers every request of an HTTP client (httpx or its successor) from memory."""
    canned = CANNED[sdk]
    body = canned.body(chunks)
    headers = {"content-type": canned.content_type if chunks else "application/json"}

    def answer(_: Any) -> Any:
        return http.Response(200, headers=headers, content=body if isinstance(body, bytes) else iter(body))

    return http.MockTransport(answer)


def _client(sdk: str, chunks: int, module: Any = None) -> Any:
    """Return the HTTP client that this SDK's major version uses."""
    http = import_module("httpx2" if module is not None and hasattr(module._base_client, "httpx2") else "httpx")
    return http.Client(transport=transport(sdk, chunks, http))


# All look the method up in each call, as agents do: wrappers that patch the class pay their look-up too.


def _openai(chunks: int) -> Call:
    import openai

    client = openai.OpenAI(api_key="none", max_retries=0, http_client=_client("openai", chunks, openai))
    messages: Any = MESSAGES
    more: Any = USAGE_TOO if chunks else {}
    model = MODELS["openai"]
    return lambda: client.chat.completions.create(model=model, messages=messages, max_tokens=256, **more)


def _anthropic(chunks: int, *, native_spans: bool) -> Call:
    import anthropic

    quiet: Any = {} if native_spans or not hasattr(anthropic.Anthropic, "open_telemetry") else {"open_telemetry": False}
    http = _client("anthropic", chunks, anthropic)
    client = anthropic.Anthropic(api_key="none", max_retries=0, http_client=http, **quiet)
    messages: Any = MESSAGES[1:]
    more: Any = {"stream": True} if chunks else {}
    model = MODELS["anthropic"]
    return lambda: client.messages.create(model=model, system=SYSTEM, messages=messages, max_tokens=256, **more)


def _google_genai(chunks: int) -> Call:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(httpx_client=_client("google-genai", chunks))
    client = genai.Client(api_key="none", http_options=options)
    config = types.GenerateContentConfig(system_instruction=SYSTEM, max_output_tokens=256)
    model = MODELS["google-genai"]
    if chunks:
        return lambda: client.models.generate_content_stream(model=model, contents=QUESTION, config=config)
    return lambda: client.models.generate_content(model=model, contents=QUESTION, config=config)


def _mistralai(chunks: int) -> Call:
    from mistralai.client import Mistral

    client = Mistral(api_key="none", client=_client("mistralai", chunks))
    messages: Any = MESSAGES
    model = MODELS["mistralai"]
    if chunks:
        return lambda: client.chat.stream(model=model, messages=messages, max_tokens=256)
    return lambda: client.chat.complete(model=model, messages=messages, max_tokens=256)


def _cohere(chunks: int) -> Call:
    import cohere

    client = cohere.ClientV2(api_key="none", httpx_client=_client("cohere", chunks))
    messages: Any = MESSAGES
    model = MODELS["cohere"]
    if chunks:
        return lambda: client.chat_stream(model=model, messages=messages, max_tokens=256)
    return lambda: client.chat(model=model, messages=messages, max_tokens=256)


class _Raw:
    """A response's body as botocore reads it: piece by piece."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Return the pieces."""
        return iter(self._pieces)

    def close(self) -> None:
        """Hold no connection."""


def _bedrock(chunks: int) -> Call:
    import boto3
    from botocore.awsrequest import AWSResponse

    canned = CANNED["bedrock"]
    body = canned.body(chunks)
    kind = canned.content_type if chunks else "application/json"
    headers = {"Content-Type": kind, "x-amzn-RequestId": "5a4c1f0e-8a5d-4b41-9a56-5ff3e6d0c111"}

    def answer(request: Any, **_: Any) -> Any:
        return AWSResponse(request.url, 200, headers, _Raw([body] if isinstance(body, bytes) else body))

    session = boto3.session.Session("none", "none", region_name="us-east-1")
    client: Any = session.client("bedrock-runtime")
    client.meta.events.register("before-send.bedrock-runtime", answer)
    asked: dict[str, Any] = {
        "modelId": MODELS["bedrock"],
        "system": [{"text": SYSTEM}],
        "messages": [{"role": "user", "content": [{"text": QUESTION}]}],
        "inferenceConfig": {"maxTokens": 256},
    }
    if chunks:
        return lambda: client.converse_stream(**asked)["stream"]
    return lambda: client.converse(**asked)


def _groq(chunks: int) -> Call:
    import groq

    client = groq.Groq(api_key="none", max_retries=0, http_client=_client("groq", chunks, groq))
    messages: Any = MESSAGES
    more: Any = {"stream": True} if chunks else {}
    model = MODELS["groq"]
    return lambda: client.chat.completions.create(model=model, messages=messages, max_tokens=256, **more)


def _ollama(chunks: int) -> Call:
    import httpx
    import ollama

    client = ollama.Client(transport=transport("ollama", chunks, httpx))
    options = {"num_predict": 256}
    model = MODELS["ollama"]
    return lambda: client.chat(model=model, messages=MESSAGES, options=options, stream=bool(chunks))


def _litellm(chunks: int) -> Call:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for one
    import litellm
    import openai

    client = openai.OpenAI(api_key="none", max_retries=0, http_client=_client("litellm", chunks, openai))
    more: Any = USAGE_TOO if chunks else {}
    model = MODELS["litellm"]
    return lambda: litellm.completion(model=model, messages=MESSAGES, max_tokens=256, client=client, **more)


_CALLS: dict[str, Callable[[int], Call]] = {
    "openai": _openai,
    "google-genai": _google_genai,
    "mistralai": _mistralai,
    "cohere": _cohere,
    "bedrock": _bedrock,
    "groq": _groq,
    "ollama": _ollama,
    "litellm": _litellm,
}


def read(stream: Iterable[Any]) -> Any:
    """Read a stream to its end and return the last chunk."""
    last = None
    for last in stream:  # noqa: B007 -- reading is the work
        pass
    return last
