"""google-genai's Live sessions, against a websocket that answers as Google's does."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from google import genai
from google.genai import types
from websockets.asyncio.server import ServerConnection, serve

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay.exchange import Expected, check, told
from tests.replay.google_client import KNOWN

if "retry_options" not in KNOWN:
    pytest.skip("this google-genai is too old for Live as it is today", allow_module_level=True)

MODEL = "gemini-live-2.5-flash"
SPOKEN = {
    "promptTokenCount": 1000,
    "responseTokenCount": 300,
    "totalTokenCount": 1300,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 800}, {"modality": "AUDIO", "tokenCount": 200}],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 250}, {"modality": "TEXT", "tokenCount": 50}],
}
MUST = Expected(
    provider="gcp.gemini",
    operation="generate_content",
    model=MODEL,
    usage={"input_tokens": 1000, "input_audio_tokens": 200, "output_tokens": 300, "output_audio_tokens": 250},
    # 800 x 0.50 + 200 x 3.00 + 50 x 2.00 + 250 x 12.00 per million
    cost_usd="0.0041",
)
SAID = {"serverContent": {"modelTurn": {"parts": [{"text": "Ein Meeresarm."}]}}}
DONE = {"serverContent": {"turnComplete": True}, "usageMetadata": SPOKEN}


class Provider:
    """Answers each message after the first, which sets the session up."""

    def __init__(self, url: str, trust: ssl.SSLContext, heard: list[Any]) -> None:
        self.url = url
        self.trust = trust
        self.heard = heard


@asynccontextmanager
async def provider(*answers: dict[str, Any]) -> AsyncGenerator[Provider]:
    heard: list[Any] = []

    async def talk(connection: ServerConnection) -> None:
        async for message in connection:
            heard.append(json.loads(message))
            for each in [{"setupComplete": {}}] if len(heard) == 1 else answers:
                await connection.send(json.dumps(each))

    authority, trust = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(trust)
    async with serve(talk, "localhost", 0, ssl=trust) as server:
        port = server.sockets[0].getsockname()[1]
        known = ssl.create_default_context()
        authority.configure_trust(known)
        yield Provider(f"https://localhost:{port}", known, heard)


@asynccontextmanager
async def session(at: Provider) -> AsyncGenerator[Any]:
    http = types.HttpOptions(base_url=at.url, async_client_args={"ssl": at.trust})
    client = genai.Client(api_key="k", http_options=http)
    async with client.aio.live.connect(model=MODEL, config={"response_modalities": ["AUDIO"]}) as opened:
        yield opened
    await client.aio.aclose()
    client.close()


ASKED = types.Content(role="user", parts=[types.Part(text="What is a fjord?")])


async def test_each_usage_is_a_call(process: Process):
    async with provider(SAID, DONE) as at, session(at) as opened:
        for _ in range(2):
            await opened.send_client_content(turns=ASKED)
            messages = [message async for message in opened.receive()]

            assert [type(message) for message in messages] == [types.LiveServerMessage] * 2
            assert messages[-1].usage_metadata.response_token_count == 300

    assert len(process.charges) == 2
    for charge in process.charges:
        check(charge, MUST)
    assert [told(span)["gen_ai.usage.output_tokens"] for span in process.spans] == [300, 300]


async def test_an_answer_that_nobody_asked_for_is_charged_too(process: Process):
    """One usage for what a tool is called with, one for what is said then."""
    called = {"toolCall": {"functionCalls": [{"id": "1", "name": "weather", "args": {}}]}, "usageMetadata": SPOKEN}
    async with provider(called, DONE) as at, session(at) as opened:
        await opened.send_realtime_input(text="What is a fjord?")
        assert len([message async for message in opened.receive()]) == 2

    assert len(process.charges) == 2


async def test_a_refusal_comes_before_anything_is_sent(start: Start):
    process = start('[[budget]]\nname = "b"\nlimit = 0.000001\nwindow = "day"\n')
    async with provider(DONE) as at, session(at) as opened:
        with pytest.raises(BudgetExceededError):
            await opened.send_client_content(turns=ASKED)

        assert len(at.heard) == 1  # the session's beginning alone

    assert process.charges == []


async def test_a_session_that_is_closed_early_leaves_nothing_held(process: Process):
    async with provider(SAID) as at, session(at) as opened:
        await opened.send_client_content(turns=ASKED)
        await asyncio.wait_for(anext(aiter(opened.receive())), 5)
        await opened.close()

    assert process.open_reservations == 0
    assert process.charge.status == "estimated"
