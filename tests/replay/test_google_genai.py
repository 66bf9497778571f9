"""google-genai against answers as Google documents them: synchronous, and asynchronous over both HTTP clients."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from opentelemetry import trace

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.google_bodies import CALL, CASES, MODEL, PLAIN, answer, expected, pieces
from tests.replay.google_client import KNOWN, Ask, client, over_aiohttp, over_httpx, sync
from tests.replay.server import ReplayServer, Reply, as_json, as_sse

pytestmark = pytest.mark.filterwarnings(
    "ignore:Inheritance class AiohttpClientSession:DeprecationWarning",
    "ignore:The `dict` method is deprecated",
    "ignore:Pydantic serializer warnings",
)
"""google-genai uses what aiohttp and pydantic would rather not have used."""

ASK: dict[str, Any] = {"model": MODEL, "contents": "What is a fjord?"}
BUDGET = '[[budget]]\nname = "b"\nlimit = {limit}\nwindow = "day"\n'


@pytest.fixture(params=[sync, over_aiohttp, over_httpx])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


@pytest.mark.parametrize("ask", [sync, over_aiohttp])
@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_charged_once(process: Process, replay: ReplayServer, ask: Ask, case: str):
    body, must = CASES[case]
    replay.replies = [as_json(body)]

    found = ask(replay, "generate_content", **ASK)

    assert type(found) is types.GenerateContentResponse
    assert found.usage_metadata.prompt_token_count == body["usageMetadata"]["promptTokenCount"]
    check(process.charge, must)
    (span,) = process.spans
    assert told(span)["gen_ai.operation.name"] == "generate_content"
    assert told(span)["gen_ai.provider.name"] == "gcp.gemini"
    assert told(span)["gen_ai.usage.input_tokens"] == must.usage.get("input_tokens", 0)
    assert told(span)["gen_ai.usage.output_tokens"] == must.usage.get("output_tokens", 0)
    assert told(span)["gen_ai.response.id"] == "kX4hae-ZMYa3vdIPz9Lh6AU"


THINKING = {**PLAIN, "thoughtsTokenCount": 500, "totalTokenCount": 1700}
THOUGHT = expected("0.00205", {"input_tokens": 1000, "output_tokens": 700, "reasoning_tokens": 500})


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_stream_is_charged_by_its_last_event(process: Process, replay: ReplayServer, ask: Ask, newline: bytes):
    reply = as_sse(pieces(THINKING))
    replay.replies = [replace(reply, body=reply.body.replace(b"\n", newline))]

    found = ask(replay, "generate_content_stream", **ASK)

    assert [type(each) for each in found] == [types.GenerateContentResponse] * 3
    assert "".join(each.text for each in found) == "Ein Fjord ist ein schmaler Meeresarm."
    assert replay.received[0].path.endswith(":streamGenerateContent?alt=sse")
    check(process.charge, THOUGHT)
    assert len(process.spans) == 1


def test_a_last_event_that_does_not_say_why_it_ends_is_read_all_the_same(
    process: Process, replay: ReplayServer, ask: Ask
):
    events = pieces(PLAIN)
    replay.replies = [as_sse([*events, {"usageMetadata": THINKING, "modelVersion": MODEL}])]

    ask(replay, "generate_content_stream", **ASK)

    check(process.charge, THOUGHT)


def test_a_stream_without_a_usage_is_estimated(process: Process, replay: ReplayServer, ask: Ask):
    events = [{name: value for name, value in each.items() if name != "usageMetadata"} for each in pieces(PLAIN)]
    replay.replies = [as_sse(events)]

    ask(replay, "generate_content_stream", **ASK)

    assert (process.charge.status, process.charge.method) == ("estimated", "no-usage-reported")
    assert 5 <= process.charge.usage.output_tokens <= 20


def test_an_answer_without_a_usage_is_estimated(process: Process, replay: ReplayServer, ask: Ask):
    replay.replies = [as_json(answer({}))]

    ask(replay, "generate_content", **ASK)

    assert (process.charge.status, process.charge.method) == ("estimated", "no-usage-reported")
    assert process.charge.cost_nano


@pytest.mark.parametrize("method", ["generate_content", "generate_content_stream"])
@pytest.mark.parametrize("status", [401, 429, 503])
def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, ask: Ask, status: int, method: str):
    error = {"error": {"code": status, "message": "no", "status": "UNAVAILABLE"}}
    replay.replies = [as_json(error, status=status)]

    with pytest.raises(errors.APIError) as caught:
        ask(replay, method, **ASK)

    assert caught.value.code == status
    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == str(status)
    assert not span.status.is_ok


def test_a_stream_that_breaks_off_with_an_error_is_charged_for_what_came(
    process: Process, replay: ReplayServer, ask: Ask
):
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    replay.replies = [as_sse([*pieces(PLAIN)[:2], error])]

    with suppress(errors.ServerError):  # the oldest takes it for a piece without words
        ask(replay, "generate_content_stream", **ASK)

    charge = process.charge
    assert (charge.status, charge.error_type) == ("estimated", "UNAVAILABLE")
    assert charge.usage.input_tokens == 1000  # as the events told so far
    (span,) = process.spans
    assert not span.status.is_ok


def test_a_cut_connection_is_charged_for_what_came(process: Process, replay: ReplayServer, ask: Ask):
    reply = as_sse(pieces(PLAIN, *["Ein Fjord ist ein Meeresarm. "] * 12))
    replay.replies = [replace(reply, breaks_after=len(reply.body) - 300)]

    with pytest.raises(Exception, match=r"."):
        ask(replay, "generate_content_stream", **ASK)

    charge = process.charge
    assert (charge.status, charge.method) == ("estimated", "stream-ended-early")
    assert charge.usage.input_tokens == 1000
    assert 60 <= charge.usage.output_tokens <= 140


def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


weather.__annotations__ = {"city": str, "return": str}  # the oldest reads no types that are written as text


def test_each_round_of_a_tool_loop_is_a_call(process: Process, replay: ReplayServer, ask: Ask):
    """The SDK calls the tool and asks again by itself, and Google bills each time."""
    replay.replies = [as_json(answer(PLAIN, CALL)), as_json(answer(THINKING))]

    found = ask(replay, "generate_content", **ASK, config=types.GenerateContentConfig(tools=[weather]))

    assert found.text == "Ein Fjord ist ein schmaler Meeresarm."
    first, second = sorted(process.charges, key=lambda charge: charge.at)
    check(first, CASES["plain"][1])
    check(second, THOUGHT)
    assert len(process.spans) == 2


def test_a_retry_is_a_request_of_its_own(process: Process, replay: ReplayServer):
    replay.replies = [as_json({"error": {"code": 503, "message": "busy"}}, status=503), as_json(answer(PLAIN))]
    if "retry_options" not in KNOWN:
        pytest.skip("this google-genai does not try again")
    retries = types.HttpRetryOptions(attempts=2, initial_delay=0.001, max_delay=0.001)
    with client(replay, retry_options=retries) as made:
        made.models.generate_content(**ASK)

    check(process.charge, CASES["plain"][1])
    assert [told(span).get("error.type") for span in process.spans] == ["503", None]


def test_a_chat_is_a_call_for_each_message(process: Process, replay: ReplayServer):
    replay.replies = [as_json(answer(PLAIN)), as_sse(pieces(THINKING))]
    with client(replay) as made:
        chat = made.chats.create(model=MODEL)
        chat.send_message("What is a fjord?")
        list(chat.send_message_stream("And a bay?"))

    first, second = sorted(process.charges, key=lambda charge: charge.at)
    check(first, CASES["plain"][1])
    check(second, THOUGHT)


@pytest.mark.parametrize("method", ["generate_content", "generate_content_stream"])
def test_a_refusal_comes_unchanged_and_before_anything_is_sent(
    start: Start, replay: ReplayServer, ask: Ask, method: str
):
    process = start(BUDGET.format(limit=0.000001))

    with pytest.raises(BudgetExceededError):
        ask(replay, method, **ASK)

    assert replay.received == []
    assert process.charges == []


def left(made: genai.Client) -> None:
    for _ in made.models.generate_content_stream(**ASK):
        break


async def aleft(made: genai.Client) -> None:
    stream = await made.aio.models.generate_content_stream(**ASK)
    async for _ in stream:
        break
    await stream.aclose()
    if hasattr(made.aio, "aclose"):
        await made.aio.aclose()


@pytest.mark.parametrize("leave", [left, lambda made: asyncio.run(aleft(made))], ids=["sync", "async"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_stream_that_is_left_early_is_settled(process: Process, replay: ReplayServer, leave: Any):
    replay.replies = [as_sse(pieces(PLAIN, *["Ein Fjord ist ein Meeresarm. "] * 4000))]

    with client(replay) as made:
        leave(made)
    gc.collect()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.input_tokens == 1000


@pytest.mark.parametrize(
    ("header", "traffic", "tier", "cost_usd"),
    [
        pytest.param((("x-gemini-service-tier", "standard"),), {}, "standard", "0.0008", id="said-to-be-plain"),
        pytest.param((("x-gemini-service-tier", "flex"),), {}, "flex", "0.0004", id="half-price"),
        # input 0.54, output 4.50
        pytest.param((("x-gemini-service-tier", "priority"),), {}, "priority", "0.00144", id="first-in-line"),
        pytest.param((), {"trafficType": "ON_DEMAND"}, None, "0.0008", id="on-demand"),
        pytest.param((), {"trafficType": "ON_DEMAND_FLEX"}, None, "0.0004", id="vertex-half-price"),
        pytest.param((), {"serviceTier": "priority"}, "priority", "0.00144", id="in-the-usage"),
    ],
)
def test_the_tier_that_was_really_used_is_paid(
    process: Process, replay: ReplayServer, header: Any, traffic: Any, tier: Any, cost_usd: str
):
    replay.replies = [as_json(answer({**PLAIN, **traffic}), headers=header)]
    sync(replay, "generate_content", **ASK)

    check(process.charge, replace(CASES["plain"][1], tier=tier, cost_usd=cost_usd))


def test_the_tier_that_was_asked_for_holds_where_the_answer_says_none(process: Process, replay: ReplayServer):
    if "service_tier" not in types.GenerateContentConfig.model_fields:
        pytest.skip("this google-genai asks for no tier")
    replay.replies = [as_json(answer(PLAIN))]

    sync(replay, "generate_content", **ASK, config=types.GenerateContentConfig(service_tier="flex"))

    check(process.charge, replace(CASES["plain"][1], tier="flex", cost_usd="0.0004"))


def test_from_gemini_3_on_each_search_is_billed(process: Process, replay: ReplayServer):
    searched = {"webSearchQueries": ["fjord", "what is a fjord", "fjord or bay"]}
    body = answer(PLAIN, model="gemini-3-pro-preview", groundingMetadata=searched)
    replay.replies = [as_json(body)]

    sync(replay, "generate_content", model="gemini-3-pro-preview", contents="What is a fjord?")

    must = expected(
        "0.0464",  # 1000 x 2.00 + 200 x 12.00 per million, 3 x 14.00 per 1,000
        {"input_tokens": 1000, "output_tokens": 200, "web_searches": 3},
        model="gemini-3-pro-preview",
        served="gemini-3-pro-preview",
    )
    check(process.charge, must)


def test_a_place_looked_up_on_the_map_is_billed_once(process: Process, replay: ReplayServer):
    chunks = [{"web": {"uri": "https://a"}}, {"maps": {"uri": "https://b"}}, {"maps": {"uri": "https://c"}}]
    replay.replies = [as_json(answer(PLAIN, groundingMetadata={"groundingChunks": chunks}))]

    sync(replay, "generate_content", **ASK)

    assert process.charge.usage.counts["maps_searches"] == 1


def test_counting_tokens_is_free(process: Process, replay: ReplayServer, ask: Ask):
    replay.replies = [as_json({"totalTokens": 6})]

    assert ask(replay, "count_tokens", **ASK).total_tokens == 6

    assert process.charges == []
    assert process.spans == []


def test_the_sdk_s_headers_and_body_are_what_they_are_without_us(process: Process, replay: ReplayServer, ask: Ask):
    replay.replies = [as_json(answer(PLAIN))]

    ask(replay, "generate_content", **ASK)

    (sent,) = replay.received
    assert sent.json == {"contents": [{"parts": [{"text": "What is a fjord?"}], "role": "user"}]}
    assert not {"traceparent", "baggage"} & set(sent.headers)


VECTOR = {"values": [0.01, -0.02, 0.03]}


def test_embeddings_are_estimated_where_google_counts_nothing(process: Process, replay: ReplayServer, ask: Ask):
    replay.replies = [as_json({"embeddings": [VECTOR, VECTOR]})]

    found = ask(replay, "embed_content", model="gemini-embedding-001", contents=["a fjord", "a bay of the sea"])

    assert len(found.embeddings) == 2
    charge = process.charge
    assert (charge.operation, charge.status) == ("embeddings", "estimated")
    assert 4 <= charge.usage.input_tokens <= 12
    assert charge.usage.output_tokens == 0


def test_embeddings_are_charged_by_their_count(process: Process, replay: ReplayServer, ask: Ask):
    replay.replies = [as_json({"embeddings": [VECTOR], "usageMetadata": {"promptTokenCount": 2000}})]

    ask(replay, "embed_content", model="gemini-embedding-001", contents=["a fjord"])

    must = Expected(
        provider="gcp.gemini",
        operation="embeddings",
        model="gemini-embedding-001",
        usage={"input_tokens": 2000},
        cost_usd="0.0003",  # 2000 x 0.15 per million
    )
    check(process.charge, must)


def test_an_image_is_output_of_its_own_price(process: Process, replay: ReplayServer):
    usage = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 1300,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        "totalTokenCount": 1310,
    }
    picture = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    replay.replies = [as_json(answer(usage, picture, model="gemini-2.5-flash-image"))]

    sync(replay, "generate_content", model="gemini-2.5-flash-image", contents="Draw a fjord")

    must = expected(
        "0.038728",  # 10 x 0.30 + 10 x 2.50 + 1290 x 30.00 per million
        {"input_tokens": 10, "output_tokens": 1300, "output_image_tokens": 1290},
        model="gemini-2.5-flash-image",
        served="gemini-2.5-flash-image",
    )
    check(process.charge, must)


def test_a_stream_asked_for_as_one_list_is_charged_too(process: Process, replay: ReplayServer):
    """Without `alt=sse` the stream is one JSON list, sent piece by piece."""
    replay.replies = [as_json(pieces(THINKING))]

    found = httpx.post(f"{replay.url}/v1beta/models/{MODEL}:streamGenerateContent?key=k", json={"contents": []})

    assert found.json() == pieces(THINKING)
    check(process.charge, THOUGHT)


def test_a_list_that_is_cut_off_is_charged_for_what_came(process: Process, replay: ReplayServer):
    reply: Reply = as_json(pieces(PLAIN, *["Ein Fjord ist ein Meeresarm. "] * 12))
    replay.replies = [replace(reply, breaks_after=len(reply.body) - 300)]

    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream("POST", f"{replay.url}/v1beta/models/{MODEL}:streamGenerateContent", json={"contents": []}) as it,
    ):
        it.read()

    charge = process.charge
    assert (charge.status, charge.method) == ("estimated", "stream-ended-early")
    assert charge.usage.input_tokens == 1000
    assert 60 <= charge.usage.output_tokens <= 140


OTHERS = "openinference.instrumentation.google_genai"


def test_each_round_of_a_tool_loop_has_a_span_where_others_make_one_for_all(process: Process, replay: ReplayServer):
    """Theirs stands for the last round, whose usage is what the SDK hands out."""
    replay.replies = [as_json(answer(PLAIN, CALL)), as_json(answer(THINKING))]
    others = trace.get_tracer(OTHERS)

    with others.start_as_current_span("GenerateContent", attributes={"openinference.span.kind": "LLM"}) as theirs:
        config = types.GenerateContentConfig(tools=[weather])
        sync(replay, "generate_content", **ASK, config=config)

    assert told(theirs)["gen_ai.usage.cost"] == 0.00205
    (ours,) = process.spans
    assert told(ours)["gen_ai.usage.cost"] == 0.0008
    assert ours.parent.span_id == theirs.get_span_context().span_id
    assert {told(span)["llmcost.charge.id"] for span in (ours, theirs)} == {each.charge_id for each in process.charges}


def test_a_stream_s_span_of_others_is_found_by_the_answer_s_id(process: Process, replay: ReplayServer):
    """They end it, when the stream has ended, with the whole answer as text."""
    if "response_id" not in types.GenerateContentResponse.model_fields:
        pytest.skip("this google-genai tells no id")
    replay.replies = [as_sse(pieces(PLAIN))]
    others = trace.get_tracer(OTHERS)
    theirs = others.start_span("GenerateContentStream", attributes={"openinference.span.kind": "LLM"})

    found = sync(replay, "generate_content_stream", **ASK)
    theirs.set_attribute("output.value", found[-1].model_dump_json(exclude_none=True))
    theirs.end()

    assert told(theirs)["gen_ai.usage.cost"] == 0.0008


@pytest.mark.parametrize("method", ["generate_content", "generate_content_stream"])
def test_another_model_is_asked_by_its_path_and_a_cap_in_the_settings(
    start: Start, replay: ReplayServer, ask: Ask, method: str
):
    """Flash Lite: 1,000 at 0.10 and 200 at 0.40 per million."""
    process = changing(start, cap=50, route={MODEL: "gemini-2.5-flash-lite"})
    said = answer(PLAIN, model="gemini-2.5-flash-lite")
    replay.replies = [as_json(said) if method == "generate_content" else as_sse([said])]

    ask(replay, method, **ASK, config=types.GenerateContentConfig(temperature=0.5, max_output_tokens=900))

    (received,) = replay.received
    assert "/models/gemini-2.5-flash-lite:" in received.path
    assert received.json["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 50}
    assert len(the_charge(process).actions) == 2
    assert the_charge(process).cost_nano == 180_000


def test_a_model_that_is_not_there_is_asked_for_once_and_then_the_other(start: Start, replay: ReplayServer, ask: Ask):
    process = changing(start, route={MODEL: "gemini-none"})
    replay.replies = [as_json({"error": {"code": 404, "message": "no"}}, status=404), as_json(answer(PLAIN))]

    ask(replay, "generate_content", **ASK)

    assert [each.path.rpartition("/")[2].partition(":")[0] for each in replay.received] == ["gemini-none", MODEL]
    assert the_charge(process).actions == (f"route {MODEL} to gemini-none: b at 50% (not possible)",)
