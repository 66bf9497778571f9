"""What litellm sends on its native route, which no HTTP client of Python's sees."""

from __future__ import annotations

import asyncio
import gc
import io
import wave
from collections.abc import Callable
from typing import Any

import litellm
import pytest
from litellm.llms.base_llm.ocr.transformation import OCRResponse
from litellm.rust_bridge.loader import get_native_bridge
from litellm.rust_bridge.messages.entrypoints import NATIVE_AMESSAGES
from litellm.rust_bridge.streams import Stream, SyncStream

from tests.instrumentation.conftest import Process
from tests.litellm.conftest import WHOLE, Call
from tests.litellm.routes import ASK, CLAUDE, CLAUDE_EVENTS, CONVERSED, ROUTES, TEXT
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, as_json

PAGES = {
    "pages": [{"index": 0, "markdown": "# Fjords", "images": [], "dimensions": {"dpi": 200, "height": 9, "width": 9}}],
    "model": "mistral-ocr-2505",
    "usage_info": {"pages_processed": 2, "doc_size_bytes": 3002783},
}
DOCUMENT = {"type": "document_url", "document_url": "https://example.com/fjords.pdf"}
READ = Expected(  # 2 pages at 1.00 a thousand
    provider="mistral_ai",
    operation="ocr",
    model="mistral-ocr-latest",
    served="mistral-ocr-2505",
    usage={"pages": 2},
    cost_usd="0.002",
)
ANSWERED = ROUTES["anthropic"].expected


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_RUST", "1")


def asked(replay: ReplayServer) -> dict[str, Any]:
    return {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": ASK,
        "max_tokens": 200,
        "api_base": replay.url,
        "api_key": "k",
    }


def in_turn(**kwargs: Any) -> Any:
    return litellm.anthropic_messages_handler(**kwargs)


def at_once(**kwargs: Any) -> Any:
    return asyncio.run(litellm.anthropic_messages(**kwargs))


MESSAGES = [pytest.param(in_turn, id="sync"), pytest.param(at_once, id="async")]


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("call", MESSAGES)
def test_messages_are_one_charge(process: Process, replay: ReplayServer, call: Callable[..., Any]):
    replay.replies = [as_json(CLAUDE)]

    answer = call(**asked(replay))

    assert type(answer) is dict
    assert answer["content"] == [{"type": "text", "text": TEXT}]
    check(process.charge, ANSWERED)
    (span,) = process.spans
    assert told(span)["gen_ai.request.max_tokens"] == 200


async def drained(opening: Any) -> tuple[type, bytes]:
    stream = await opening
    return type(stream), b"".join([piece async for piece in stream])


@pytest.mark.usefixtures("native")
def test_their_streams_are_what_they_are_and_one_charge(process: Process, replay: ReplayServer):
    replay.replies = [CLAUDE_EVENTS, CLAUDE_EVENTS]

    stream: Any = litellm.anthropic_messages_handler(stream=True, **asked(replay))
    assert (type(stream), b"".join(stream)) == (SyncStream, CLAUDE_EVENTS.body)
    later = asyncio.run(drained(litellm.anthropic_messages(stream=True, **asked(replay))))

    assert later == (Stream, CLAUDE_EVENTS.body)
    assert len(process.spans) == 2
    for charge in process.charges:
        check(charge, ANSWERED)


def closed(stream: Any) -> None:
    next(stream)
    stream.close()


def dropped(stream: Any) -> None:
    next(stream)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("end", [closed, dropped])
def test_a_stream_left_early_is_estimated(process: Process, replay: ReplayServer, end: Callable[[Any], None]):
    replay.replies = [CLAUDE_EVENTS]

    end(litellm.anthropic_messages_handler(stream=True, **asked(replay)))
    gc.collect()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")


@pytest.mark.usefixtures("native")
def test_so_is_one_closed_by_a_task(process: Process, replay: ReplayServer):
    replay.replies = [CLAUDE_EVENTS]

    async def leave() -> None:
        stream: Any = await litellm.anthropic_messages(stream=True, **asked(replay))
        await anext(stream)
        await stream.aclose()

    asyncio.run(leave())

    assert process.charge.status == "estimated"


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("call", MESSAGES)
def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, call: Callable[..., Any]):
    replay.replies = [as_json({"type": "error", "error": {"type": "rate_limit_error", "message": "no"}}, status=429)]

    with pytest.raises(litellm.RateLimitError):
        call(**asked(replay))

    assert process.charges == []
    assert told(process.spans[0])["error.type"] == "429"


@pytest.mark.usefixtures("native")
def test_where_it_declines_python_s_route_is_the_one_charge(process: Process, replay: ReplayServer):
    declined: Any = getattr(get_native_bridge(), "RustBridgeDeclined")  # noqa: B009 -- made of Rust, typed nowhere

    async def decline(_call: Any) -> Any:
        raise declined("cannot do that")

    NATIVE_AMESSAGES.override(decline)
    replay.replies = [as_json(CLAUDE)]
    try:
        at_once(**asked(replay))
    finally:
        NATIVE_AMESSAGES.reset()

    check(process.charge, ANSWERED)
    assert len(process.spans) == 1


@pytest.mark.parametrize("call", WHOLE)
def test_ocr_is_charged_by_the_page(process: Process, replay: ReplayServer, call: Call):
    replay.replies = [as_json(PAGES)]

    answer = call(
        "ocr", model="mistral/mistral-ocr-latest", document=DOCUMENT, api_base=f"{replay.url}/v1", api_key="k"
    )

    assert type(answer) is OCRResponse
    assert answer.pages[0].markdown == "# Fjords"
    check(process.charge, READ)
    assert len(process.spans) == 1


@pytest.mark.parametrize("call", WHOLE)
def test_bedrock_s_transcription_tells_no_usage(process: Process, replay: ReplayServer, call: Call):
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    replay.replies = [as_json(CONVERSED)]

    answer = call(
        "transcription",
        model="bedrock/mistral.voxtral-mini-3b-2507",
        file=("a.wav", sound.getvalue()),
        api_base=replay.url,
    )

    assert answer.text == TEXT
    assert (process.charge.provider, process.charge.operation) == ("aws.bedrock", "transcription")
    assert process.charge.status in ("estimated", "unpriced")
    assert len(process.spans) == 1


def test_chats_stay_on_python_s_route_and_are_charged_once(
    process: Process, replay: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LITELLM_RUST", "1")
    replay.replies = [ROUTES["anthropic"].whole]

    litellm.completion(**ROUTES["anthropic"].arguments(replay.url))

    check(process.charge, ANSWERED)
