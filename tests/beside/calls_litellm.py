"""Calls of litellm, which makes them with OpenAI's SDK or by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import litellm
from litellm.types.utils import ModelResponse

from tests.beside.kinds import of_type

ASK: Any = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "Say it in 30 words"}],
    "api_key": "k",
    "max_retries": 0,
}


def litellm_chat(url: str) -> None:
    of_type(litellm.completion(**ASK, api_base=url + "/v1"), ModelResponse)


def litellm_stream(url: str) -> None:
    stream: Any = litellm.completion(**ASK, api_base=url + "/v1", stream=True)
    assert len("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices).split()) == 30


def litellm_async(url: str) -> None:
    of_type(asyncio.run(litellm.acompletion(**ASK, api_base=url + "/v1")), ModelResponse)


CALLS_LITELLM = {call.__name__: call for call in (litellm_chat, litellm_stream, litellm_async)}
