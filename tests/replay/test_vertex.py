"""Vertex AI: Google's own models and those of others, by whatever client."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.auth.transport.requests import AuthorizedSession
from google.genai import types
from google.oauth2.credentials import Credentials

from tests.instrumentation.conftest import Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.google_bodies import CASES, PLAIN, answer, pieces
from tests.replay.google_client import KNOWN, client, http_options, on_vertex
from tests.replay.server import ReplayServer, as_json, as_sse
from tests.replay.test_google_genai import ASK, THINKING, THOUGHT, pytestmark

__all__ = ["pytestmark"]

AT = "/v1beta1/projects/p/locations/europe-west4/publishers"


def at_vertex(must: Expected, **more: Any) -> Expected:
    return replace(must, provider="gcp.vertex_ai", **more)


def test_a_request_shaped_like_vertex_s_is_vertex_s_whatever_the_host(process: Process, replay: ReplayServer):
    replay.replies = [as_json(answer({**PLAIN, "trafficType": "ON_DEMAND"}))]

    with client(replay, on_vertex) as made:
        made.models.generate_content(**ASK)

    assert replay.received[0].path == f"{AT}/google/models/gemini-2.5-flash:generateContent"
    check(process.charge, at_vertex(CASES["plain"][1]))
    assert told(process.spans[0])["gen_ai.provider.name"] == "gcp.vertex_ai"


def test_so_it_is_with_a_key_and_no_project(process: Process, replay: ReplayServer):
    if "retry_options" not in KNOWN:
        pytest.skip("this google-genai wants a project")
    replay.replies = [as_sse(pieces(THINKING))]
    http = http_options(replay)

    with genai.Client(vertexai=True, api_key="k", http_options=http) as made:
        list(made.models.generate_content_stream(**ASK))

    check(process.charge, at_vertex(THOUGHT))


def test_a_tuned_model_is_called_by_its_endpoint(process: Process, replay: ReplayServer):
    replay.replies = [as_json(answer(PLAIN))]

    with client(replay, on_vertex) as made:
        made.models.generate_content(**{**ASK, "model": "projects/p/locations/europe-west4/endpoints/123456"})

    charge = process.charge
    assert (charge.provider, charge.requested_model) == ("gcp.vertex_ai", "123456")
    assert charge.cost_nano == 800_000  # the answer names the model that was tuned


IMAGE = {"mimeType": "image/png", "bytesBase64Encoded": "iVBORw0KGgo="}


@pytest.mark.filterwarnings("ignore:The generate_images method is deprecated")
@pytest.mark.parametrize(
    ("predictions", "usage", "cost_usd"),
    [
        pytest.param([IMAGE, IMAGE], {"images": 2}, "0.08", id="each-is-paid"),  # 2 x 0.04
        pytest.param(
            [IMAGE, {"raiFilteredReason": "blocked"}], {"images": 1}, "0.04", id="one-that-is-filtered-out-is-not"
        ),
        pytest.param([{"raiFilteredReason": "blocked"}], {}, "0", id="none-at-all"),
    ],
)
def test_images_are_paid_by_the_piece(
    process: Process, replay: ReplayServer, predictions: Any, usage: Any, cost_usd: str
):
    replay.replies = [as_json({"predictions": predictions})]

    with client(replay, on_vertex) as made:
        made.models.generate_images(
            model="imagen-3.0-generate-001",
            prompt="A fjord",
            config=types.GenerateImagesConfig(number_of_images=2, include_rai_reason=True),
        )

    must = Expected(
        provider="gcp.vertex_ai",
        operation="image_generation",
        model="imagen-3.0-generate-001",
        usage=usage,
        cost_usd=cost_usd,
    )
    check(process.charge, must)


def test_embeddings_are_paid_as_each_text_s_count_says(process: Process, replay: ReplayServer):
    """Older SDKs and programs of one's own still ask `predict`."""
    vector = {"values": [0.01, -0.02], "statistics": {"truncated": False, "token_count": 600}}
    replay.replies = [as_json({"predictions": [{"embeddings": vector}, {"embeddings": vector}]})]
    body = {"instances": [{"content": "a fjord"}, {"content": "a bay"}]}

    httpx.post(f"{replay.url}{AT}/google/models/gemini-embedding-001:predict", json=body)

    must = Expected(
        provider="gcp.vertex_ai",
        operation="embeddings",
        model="gemini-embedding-001",
        usage={"input_tokens": 1200},
        cost_usd="0.00018",  # 1200 x 0.15 per million
    )
    check(process.charge, must)


def test_several_texts_at_once_are_counted_each_or_together(process: Process, replay: ReplayServer):
    if "retry_options" not in KNOWN:
        pytest.skip("this google-genai asks for predictions")
    vector = {"values": [0.01, -0.02], "statistics": {"token_count": 600}}
    replay.replies = [
        as_json({"embeddings": [vector, vector]}),
        as_json({"embeddings": [vector, vector], "usageMetadata": {"promptTokenCount": 1200}}),
        # as `predict` answers, whose numbers may be broken ones
        as_json({"predictions": [{"embeddings": {"statistics": {"token_count": n}}} for n in (700.0, 500.0)]}),
    ]

    with client(replay, on_vertex) as made:
        for _ in range(3):
            made.models.embed_content(model="gemini-embedding-001", contents=["a fjord", "a bay"])

    assert [charge.usage.counts for charge in process.charges] == [{"input_tokens": 1200}] * 3


def test_older_embeddings_are_paid_by_characters(process: Process, replay: ReplayServer):
    vector = {"values": [0.01, -0.02], "statistics": {"truncated": False, "token_count": 600}}
    body = {"predictions": [{"embeddings": vector}], "metadata": {"billableCharacterCount": 2400}}
    replay.replies = [as_json(body)]

    with client(replay, on_vertex) as made:
        made.models.embed_content(model="text-embedding-005", contents=["a fjord"])

    must = Expected(
        provider="gcp.vertex_ai",
        operation="embeddings",
        model="text-embedding-005",
        usage={"input_tokens": 600, "characters": 2400},
        cost_usd="0.00006",  # 2400 x 0.025 per million
    )
    check(process.charge, must)


CLAUDE: dict[str, Any] = {
    "id": "msg_vrtx_01F",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "A narrow arm of the sea."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 1000,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 2000,
        "output_tokens": 100,
    },
}
BY_CLAUDE = Expected(
    provider="gcp.vertex_ai",
    model="claude-sonnet-4-5@20250929",
    served="claude-sonnet-4-5-20250929",
    usage={"input_tokens": 3000, "cache_read_tokens": 2000, "output_tokens": 100},
    cost_usd="0.0051",  # 1000 x 3.00 + 2000 x 0.30 + 100 x 15.00 per million
    response_id="msg_vrtx_01F",
)
CLAUDE_EVENTS = [
    {"type": "message_start", "message": {**CLAUDE, "content": [], "usage": {**CLAUDE["usage"], "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A narrow arm"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}},
    {"type": "message_stop"},
]
QUESTION: dict[str, Any] = {"max_tokens": 300, "messages": [{"role": "user", "content": "What is a fjord?"}]}


def test_claude_over_google_s_own_session(process: Process, replay: ReplayServer):
    """No SDK of Anthropic's is there, only google-auth's session, which is one of requests."""
    replay.replies = [as_json(CLAUDE), as_json({"input_tokens": 12})]
    session = AuthorizedSession(Credentials(token="t"))
    body = {"anthropic_version": "vertex-2023-10-16", **QUESTION}

    answer = session.post(f"{replay.url}{AT}/anthropic/models/claude-sonnet-4-5@20250929:rawPredict", json=body)
    session.post(f"{replay.url}{AT}/anthropic/models/count-tokens:rawPredict", json=body)

    assert answer.json() == CLAUDE
    check(process.charge, BY_CLAUDE)


def test_claude_streamed_by_hand(process: Process, replay: ReplayServer):
    replay.replies = [as_sse(CLAUDE_EVENTS, named=True)]
    url = f"{replay.url}{AT}/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"

    httpx.post(url, json={"anthropic_version": "vertex-2023-10-16", "stream": True, **QUESTION})

    check(process.charge, BY_CLAUDE)


@pytest.fixture
def claude() -> type[anthropic.AnthropicVertex]:
    if int(anthropic.__version__.partition(".")[0]) < 2:
        pytest.skip("this anthropic is tested with its own host")
    return anthropic.AnthropicVertex


def test_claude_by_anthropic_s_client_for_vertex(process: Process, claude: Any, replay: ReplayServer):
    replay.replies = [as_json(CLAUDE), as_sse(CLAUDE_EVENTS, named=True)]
    http = httpx_of(claude, replay)

    with claude(region="us-east5", project_id="p", access_token="t", http_client=http, max_retries=0) as made:
        whole = made.messages.create(model="claude-sonnet-4-5@20250929", **QUESTION)
        list(made.messages.create(model="claude-sonnet-4-5@20250929", stream=True, **QUESTION))

    assert whole.id == "msg_vrtx_01F"
    assert [each.path.rpartition(":")[2] for each in replay.received] == ["rawPredict", "streamRawPredict"]
    for charge in process.charges:
        check(charge, BY_CLAUDE)
    assert len(process.charges) == 2


def httpx_of(_sdk: Any, replay: ReplayServer) -> Any:
    """Make a client that takes all hosts for ours, so that the SDK may ask the one it knows."""
    import httpx2

    class Redirected(httpx2.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            request.url = httpx2.URL(replay.url).copy_with(raw_path=request.url.raw_path)
            return super().handle_request(request)

    return httpx2.Client(transport=Redirected())


def test_openai_s_client_at_vertex(process: Process, replay: ReplayServer):
    """Google's thoughts are in the total alone there."""
    if int(openai.__version__.partition(".")[0]) < 3:
        pytest.skip("this openai is built on httpx")
    body = {
        "id": "o-1",
        "object": "chat.completion",
        "created": 1789000000,
        "model": "google/gemini-2.5-flash",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1700},
    }
    replay.replies = [as_json(body)]
    url = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints/openapi"

    with openai.OpenAI(base_url=url, api_key="t", http_client=httpx_of(openai, replay)) as made:
        made.chat.completions.create(model="google/gemini-2.5-flash", messages=QUESTION["messages"])

    must = at_vertex(
        THOUGHT, operation="chat", model="google/gemini-2.5-flash", served="google/gemini-2.5-flash", response_id="o-1"
    )
    check(process.charge, must)


def test_a_model_of_mistral_s_at_vertex(process: Process, replay: ReplayServer):
    body = {
        "id": "m-1",
        "object": "chat.completion",
        "created": 1789000000,
        "model": "mistral-medium-2505",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
    replay.replies = [as_json(body)]

    httpx.post(f"{replay.url}{AT}/mistralai/models/mistral-medium-3:rawPredict", json=QUESTION)

    charge = process.charge
    assert (charge.provider, charge.operation) == ("gcp.vertex_ai", "chat")
    assert charge.usage.counts == {"input_tokens": 1000, "output_tokens": 100}


def test_asynchronous_calls_of_one_client_are_calls_each(process: Process, replay: ReplayServer):
    async def both() -> None:
        made = on_vertex(replay)
        await asyncio.gather(*(made.aio.models.generate_content(**ASK) for _ in range(2)))
        if hasattr(made.aio, "aclose"):
            await made.aio.aclose()

    replay.replies = [as_json(answer(PLAIN)), as_json(answer(PLAIN))]

    asyncio.run(both())

    for charge in process.charges:
        check(charge, at_vertex(CASES["plain"][1]))
    assert len(process.charges) == len(process.spans) == 2


def test_another_model_is_asked_by_its_path(start: Start, replay: ReplayServer):
    process = changing(start, cap=50, route={"gemini-2.5-*": "gemini-2.5-flash-lite"})
    replay.replies = [as_json(answer(PLAIN, model="gemini-2.5-flash-lite"))]

    with client(replay, on_vertex) as made:
        made.models.generate_content(**ASK)

    assert replay.received[0].path == f"{AT}/google/models/gemini-2.5-flash-lite:generateContent"
    assert replay.received[0].json["generationConfig"] == {"maxOutputTokens": 50}
    assert len(the_charge(process).actions) == 2


def test_so_is_another_claude(start: Start, replay: ReplayServer):
    """The anthropic SDK writes the path after us, of what the body names."""
    changing(start, cap=50, route={"claude-*": "claude-haiku-4-5@20251001"})
    replay.replies = [as_json(CLAUDE)]
    made = anthropic.AnthropicVertex(region="europe-west4", project_id="p", access_token="t", base_url=replay.url)

    with made as opened:
        opened.messages.create(model="claude-opus-4-5", max_tokens=900, messages=[{"role": "user", "content": "Hi"}])

    assert replay.received[0].path.endswith("/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict")
    assert replay.received[0].json["max_tokens"] == 50
