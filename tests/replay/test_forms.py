"""Requests whose fields come as a form, not as JSON: all that sends a file does so."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from tests.instrumentation.conftest import Process
from tests.replay.exchange import Expected, check
from tests.replay.server import ReplayServer, as_json
from tests.replay.twice import run

ANSWER = {"text": "A fjord.", "usage": {"type": "duration", "seconds": 90}}
FIELDS = {"model": "whisper-1", "stream": "false", "prompt": "Ein Märchen"}
WAVE = b'RIFF\x00\x00\x00\x00WAVE--name="model"\r\n\r\ngpt-5\r\n'


def over_httpx(url: str) -> Any:
    return httpx.post(url, data=FIELDS, files={"file": ("a.wav", WAVE)}).json()


def over_httpx_encoded(url: str) -> Any:
    return httpx.post(url, data=FIELDS).json()


def over_requests(url: str) -> Any:
    return requests.post(url, data=FIELDS, files={"file": ("a.wav", BytesIO(WAVE))}, timeout=5).json()


def over_requests_encoded(url: str) -> Any:
    return requests.post(url, data=FIELDS, timeout=5).json()


def over_aiohttp(url: str) -> Any:
    async def ask() -> Any:
        form = aiohttp.FormData()
        for name, value in FIELDS.items():
            form.add_field(name, value)
        form.add_field("file", WAVE, filename="a.wav")
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
            return await answer.json()

    return run(ask)


@pytest.mark.parametrize("post", [over_httpx, over_httpx_encoded, over_requests, over_requests_encoded, over_aiohttp])
def test_a_form_says_which_model_is_asked(process: Process, replay: ReplayServer, post: Any):
    replay.replies = [as_json(ANSWER)]

    assert post(f"{replay.url}/v1/audio/transcriptions") == ANSWER

    check(
        process.charge,
        Expected(
            provider="openai",
            operation="transcription",
            model="whisper-1",
            usage={"audio_milliseconds": 90_000},
            cost_usd="0.009",  # 1.5 x 0.006 per minute
        ),
    )
    sent = replay.received[0].body
    assert b"whisper-1" in sent
    assert b"encoded" in replay.received[0].headers["content-type"].encode() or WAVE in sent


def test_what_is_no_form_and_no_json_is_let_through(process: Process, replay: ReplayServer):
    replay.replies = [as_json(ANSWER)] * 2
    url = f"{replay.url}/v1/audio/transcriptions"

    assert httpx.post(url, content=iter([b"model=", b"whisper-1"])).json() == ANSWER
    assert httpx.post(url, content=b"model").json() == ANSWER

    assert process.charges == []
