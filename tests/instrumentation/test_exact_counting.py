"""`count = "exact"`: tiktoken counts before sending, its table loaded off the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import openai
import pytest

from examples.provider_server import ProviderServer
from otel_llmcost import tokens
from tests.instrumentation.conftest import Start

TEXT = "The quick brown fox jumps over the lazy dog."
ASK: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 10}
TOKENS_OF_TEXT = 10  # by o200k_base


def test_a_blocking_call_is_counted_by_the_tokeniser(start: Start, server: ProviderServer) -> None:
    """3 tokens open the answer, 3 frame the message, the text and its role are counted."""
    process = start('count = "exact"\n[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\n')
    call = None

    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        client.chat.completions.create(**ASK)

    call = process.charge
    # 10 + 1 (role) + 3 + 3 input tokens at 150 nano-USD, 10 output tokens at 600, as expected before sending
    assert call.estimate_nano == (TOKENS_OF_TEXT + 1 + 3 + 3) * 150 + 10 * 600


def test_on_an_event_loop_the_table_is_made_elsewhere(
    start: Start, server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is ready the rule counts, so the first call does not hold the loop up."""
    made_in: list[threading.Thread] = []
    is_made = threading.Event()

    def warm(_model: str) -> None:
        made_in.append(threading.current_thread())
        is_made.set()

    monkeypatch.setattr(tokens, "ready", lambda _model: False)
    monkeypatch.setattr(tokens, "warm", warm)
    start('count = "exact"\n')

    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="k") as client:
            await client.chat.completions.create(**ASK)
            await client.chat.completions.create(**ASK)

    asyncio.run(main())

    assert is_made.wait(5)
    assert [thread is threading.main_thread() for thread in made_in] == [False]
