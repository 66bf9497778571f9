"""A chat through litellm is one charge, whatever way it takes to its provider."""

from __future__ import annotations

import asyncio
from typing import Any

import litellm
import pytest

import otel_llmcost
from tests.instrumentation.conftest import Process
from tests.litellm.conftest import STREAMS, WHOLE, Call, plain, streamed
from tests.litellm.routes import ROUTES, TEXT, Route
from tests.replay.exchange import check, told
from tests.replay.server import ReplayServer, Reply, as_json

ALL = [pytest.param(route, id=name) for name, route in ROUTES.items()]
STREAMED = [pytest.param(route, id=name) for name, route in ROUTES.items() if route.stream is not None]


def answers(replay: ReplayServer, reply: Reply) -> None:
    """Answer a chat; litellm may ask ollama first what the model can do, and goes on whatever it is told."""
    replay.replies = [reply, reply]


@pytest.mark.parametrize("call", WHOLE)
@pytest.mark.parametrize("route", ALL)
def test_an_answer_is_one_charge(process: Process, replay: ReplayServer, route: Route, call: Call):
    answers(replay, route.whole)

    answer = call("completion", **route.arguments(replay.url))

    assert type(answer) is litellm.ModelResponse
    assert answer.choices[0].message.content == TEXT
    check(process.charge, route.expected)
    (span,) = process.spans
    assert told(span)["gen_ai.provider.name"] == route.expected.provider
    assert told(span)["gen_ai.request.model"] == route.expected.model


@pytest.mark.parametrize("call", STREAMS)
@pytest.mark.parametrize("route", STREAMED)
def test_a_stream_is_one_charge(process: Process, replay: ReplayServer, route: Route, call: Call):
    assert route.stream is not None
    answers(replay, route.stream)

    chunks = call("completion", **route.arguments(replay.url))

    assert {type(chunk) for chunk in chunks} == {litellm.ModelResponseStream}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip() == TEXT
    check(process.charge, route.expected)
    assert len(process.spans) == 1


@pytest.mark.parametrize("status", [401, 404, 429, 500, 529])
@pytest.mark.parametrize("call", [*WHOLE, *STREAMS])
def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, call: Call, status: int):
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    replay.replies = [as_json(body, status=status)]

    with pytest.raises(litellm.exceptions.openai.APIError):
        call("completion", **ROUTES["anthropic"].arguments(replay.url))

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == str(status)


def test_an_error_stays_litellm_s(process: Process, replay: ReplayServer):
    replay.replies = [as_json({"error": {"message": "no"}}, status=401)]

    with pytest.raises(litellm.AuthenticationError) as raised:
        plain("completion", **ROUTES["openai"].arguments(replay.url))

    assert raised.value.llm_provider == "openai"
    assert process.charges == []


def test_a_retry_is_a_request_of_its_own(process: Process, replay: ReplayServer):
    replay.replies = [as_json({"error": {"message": "no"}}, status=500), ROUTES["mistral"].whole]

    plain("completion", num_retries=2, **ROUTES["mistral"].arguments(replay.url))

    assert len(replay.received) == 2
    check(process.charge, ROUTES["mistral"].expected)
    assert [told(span).get("error.type") for span in process.spans] == ["500", None]


def test_a_fallback_is_charged_as_what_it_is(process: Process, replay: ReplayServer):
    replay.replies = [as_json({"error": {"message": "no"}}, status=401), ROUTES["openai"].whole]

    plain("completion", fallbacks=["openai/gpt-4o-mini"], **ROUTES["openai"].arguments(replay.url))

    assert (process.charge.requested_model, process.charge.status) == ("gpt-4o-mini", "confirmed")


def test_what_is_not_asked_of_a_provider_costs_nothing(process: Process, replay: ReplayServer):
    litellm.cache = litellm.Cache()
    replay.replies = [ROUTES["openai"].whole]
    asked = ROUTES["openai"].arguments(replay.url)

    answers = [plain("completion", caching=True, **asked) for _ in range(2)]
    mocked = plain("completion", model="openai/gpt-4o", messages=asked["messages"], mock_response=TEXT)

    assert {answer.choices[0].message.content for answer in [*answers, mocked]} == {TEXT}
    assert len(replay.received) == 1
    check(process.charge, ROUTES["openai"].expected)


def test_a_stream_left_early_is_estimated(process: Process, replay: ReplayServer):
    assert ROUTES["openai"].stream is not None
    replay.replies = [ROUTES["openai"].stream]

    stream = plain("completion", stream=True, **ROUTES["openai"].arguments(replay.url))
    next(stream)
    stream.completion_stream.close()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")


def test_attribution_reaches_what_litellm_sends(process: Process, replay: ReplayServer):
    replay.replies = [ROUTES["anthropic"].whole]

    with otel_llmcost.attribute(agent="scraper", team="web"):
        plain("completion", **ROUTES["anthropic"].arguments(replay.url))

    assert process.charge.tags["agent"] == "scraper"
    assert process.charge.tags["team"] == "web"
    assert "baggage" not in replay.received[0].headers


@pytest.mark.parametrize("call", [*WHOLE, *STREAMS])
def test_a_call_s_user_and_metadata_say_whom_it_is_for(process: Process, replay: ReplayServer, call: Call):
    route = ROUTES["openai"]
    assert route.stream is not None
    replay.replies = [route.stream if "stream" in call.__name__ else route.whole]
    metadata: dict[str, Any] = {"session_id": "s-1", "trace_user_id": "u-2", "agent": "clerk", "tags": ["a"]}

    call("completion", user="u-1", metadata=metadata, **route.arguments(replay.url))

    said = {name: process.charge.tags.get(name) for name in ("user", "session", "agent")}
    assert said == {"user": "u-2", "session": "s-1", "agent": "clerk"}


def test_what_the_program_said_itself_counts_more(process: Process, replay: ReplayServer):
    replay.replies = [ROUTES["openai"].whole]

    with otel_llmcost.attribute(user="u-7"):
        plain("completion", user="u-1", **ROUTES["openai"].arguments(replay.url))

    assert process.charge.tags["user"] == "u-7"


def test_many_at_once_are_told_apart(process: Process, replay: ReplayServer):
    routes = [ROUTES[name] for name in ("openai", "mistral", "deepseek")] * 4
    replay.replies = [as_json({"error": {"message": "no"}}, status=401)] * len(routes)

    async def ask() -> list[Any]:
        calls = [litellm.acompletion(user=f"u-{i}", **each.arguments(replay.url)) for i, each in enumerate(routes)]
        return await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(ask())

    found = sorted((told(span)["user.id"], told(span)["gen_ai.provider.name"]) for span in process.spans)
    assert found == sorted((f"u-{i}", each.expected.provider) for i, each in enumerate(routes))


def test_streams_of_the_openai_sdk_are_charged_for_what_litellm_reads(process: Process, replay: ReplayServer):
    """Where the host is the provider's own, litellm asks for no usage: we do, and hide it from litellm."""
    assert ROUTES["openai"].stream is not None
    replay.replies = [ROUTES["openai"].stream]

    streamed("completion", **ROUTES["openai"].arguments(replay.url))

    assert replay.received[0].json["stream_options"] == {"include_usage": True}
    check(process.charge, ROUTES["openai"].expected)
