"""Bedrock's Converse and ConverseStream through boto3."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.eventstream import EventStream
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    EventStreamError,
    ParamValidationError,
)

import otel_llmcost
from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay import amazon
from tests.replay.amazon import answered, event, exception, streamed
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, Reply

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ASK = {
    "modelId": HAIKU,
    "messages": [{"role": "user", "content": [{"text": "What is the capital of Norway?"}]}],
    "inferenceConfig": {"maxTokens": 400},
}
USAGE = {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Oslo."}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 812},
}
# Haiku 4.5 in a region of its own: 1.10 in, 5.50 out, 0.11 read, 1.375 written, 2.20 written for an hour; per million.


def stream_of(*texts: str, usage: dict[str, Any] = USAGE, **metadata: Any) -> list[bytes]:
    return [
        event("messageStart", {"role": "assistant", "p": "abcd"}),
        *(event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}, "p": "ab"}) for text in texts),
        event("contentBlockStop", {"contentBlockIndex": 0, "p": "abcdefg"}),
        event("messageStop", {"stopReason": "end_turn", "p": "abcdefghi"}),
        event("metadata", {"usage": usage, "metrics": {"latencyMs": 512}, "p": "abc", **metadata}),
    ]


@pytest.fixture
def bedrock(replay: ReplayServer) -> Iterator[Any]:
    with amazon.client(replay.url) as client:
        yield client


def converse(client: Any) -> Any:
    answer = client.converse(**ASK)
    del answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    return answer


def converse_stream(client: Any) -> Any:
    answer = client.converse_stream(**ASK)
    assert type(answer["stream"]) is EventStream
    return list(answer["stream"])


def test_an_answer_is_one_charge_and_one_span(process: Process, replay: ReplayServer, bedrock: Any):
    """Input 100 x 1.10 + output 20 x 5.50 per million = 110 + 110 millionths."""
    replay.replies = [answered(ANSWER)]

    assert converse(bedrock)["output"] == ANSWER["output"]

    check(
        process.charge,
        Expected(
            provider="aws.bedrock",
            model=HAIKU,
            usage={"input_tokens": 100, "output_tokens": 20},
            cost_usd="0.00022",
            tier="standard",
            response_id=amazon.REQUEST_ID,
        ),
    )
    (span,) = process.spans
    assert told(span) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": HAIKU,
        "gen_ai.request.max_tokens": 400,
        "gen_ai.response.id": amazon.REQUEST_ID,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cost": 0.00022,
    } == told(span)


@pytest.mark.parametrize(
    ("call", "reply"), [(converse, answered(ANSWER)), (converse_stream, streamed(stream_of("Os", "lo.")))]
)
def test_the_program_gets_what_it_gets_without_us(
    start: Start, replay: ReplayServer, bedrock: Any, call: Any, reply: Any
):
    replay.replies = [reply, reply]

    without = call(bedrock)
    start()

    assert call(bedrock) == without


@amazon.needs("Converse", "usage", "cacheDetails")
def test_cached_tokens_are_added_to_the_input_that_leaves_them_out(
    process: Process, replay: ReplayServer, bedrock: Any
):
    """100 fresh x 1.10 + 1,000 read x 0.11 + 300 written x 1.375 + 200 for an hour x 2.20 + 20 x 5.50."""
    cached = {"cacheReadInputTokens": 1000, "cacheWriteInputTokens": 500}
    details = {"cacheDetails": [{"ttl": "1h", "inputTokens": 200}, {"ttl": "5m", "inputTokens": 300}]}
    replay.replies = [answered({**ANSWER, "usage": {**USAGE, "totalTokens": 1620, **cached, **details}})]

    converse(bedrock)

    check(
        process.charge,
        Expected(
            provider="aws.bedrock",
            model=HAIKU,
            usage={
                "input_tokens": 1600,
                "cache_read_tokens": 1000,
                "cache_write_tokens": 500,
                "cache_write_1h_tokens": 200,
                "output_tokens": 20,
            },
            cost_usd="0.0011825",  # 110 + 110 + 412.5 + 440 + 110 millionths
        ),
    )


def test_a_stream_is_charged_by_its_last_event(process: Process, replay: ReplayServer, bedrock: Any):
    """Frames come cut at odd bytes; the usage stands in `metadata`."""
    cached = {"cacheReadInputTokens": 1000, "cacheWriteInputTokens": 0, "cacheDetails": []}
    replay.replies = [streamed(stream_of("Os", "lo.", usage={**USAGE, "totalTokens": 1120, **cached}))]

    events = converse_stream(bedrock)

    assert [each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each] == [
        "Os",
        "lo.",
    ]
    check(
        process.charge,
        Expected(
            provider="aws.bedrock",
            model=HAIKU,
            usage={"input_tokens": 1100, "cache_read_tokens": 1000, "output_tokens": 20},
            cost_usd="0.00033",  # 100 x 1.10 + 1,000 x 0.11 + 20 x 5.50 per million
            response_id=amazon.REQUEST_ID,
        ),
    )
    (span,) = process.spans
    assert told(span)["gen_ai.request.stream"] is True
    assert told(span)["gen_ai.usage.cache_read.input_tokens"] == 1000


def test_a_tool_call_with_thoughts_is_charged_like_any_answer(process: Process, replay: ReplayServer, bedrock: Any):
    thought = {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "They want Oslo."}}}
    call = {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t-1", "name": "look_up"}}}
    arguments = {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"city":"usage\\":{"}'}}}
    replay.replies = [
        streamed(
            [
                event("messageStart", {"role": "assistant"}),
                event("contentBlockDelta", thought),
                event("contentBlockStart", call),
                event("contentBlockDelta", arguments),
                event("messageStop", {"stopReason": "tool_use"}),
                event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
            ]
        )
    ]
    tools = [{"toolSpec": {"name": "look_up", "inputSchema": {"json": {"type": "object"}}}}]

    answer = bedrock.converse_stream(**ASK, toolConfig={"tools": tools})

    assert len(list(answer["stream"])) == 6
    assert process.charge.cost_nano == 220_000


@amazon.needs("Converse", "serviceTier")
def test_the_tier_that_served_counts_and_a_model_that_a_router_chose(
    process: Process, replay: ReplayServer, bedrock: Any
):
    """Nova Pro on the flex tier: half of 0.80 in and 3.20 out."""
    router = "arn:aws:bedrock:us-east-1:111122223333:default-prompt-router/amazon.nova:1"
    chosen = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0"
    replay.replies = [
        answered(
            {
                **ANSWER,
                "serviceTier": {"type": "flex"},
                "performanceConfig": {"latency": "standard"},
                "trace": {"promptRouter": {"invokedModelId": chosen}},
            }
        )
    ]

    bedrock.converse(**{**ASK, "modelId": router, "serviceTier": {"type": "flex"}})

    check(
        process.charge,
        Expected(
            provider="aws.bedrock",
            model=router,
            served=chosen,
            usage={"input_tokens": 100, "output_tokens": 20},
            cost_usd="0.000072",  # 100 x 0.40 + 20 x 1.60 per million
            tier="flex",
        ),
    )


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        pytest.param("global.anthropic.claude-haiku-4-5-20251001-v1:0", 200_000, id="anywhere-costs-less"),
        pytest.param("anthropic.claude-3-haiku-20240307-v1:0", 50_000, id="no-prefix"),
        pytest.param("eu.anthropic.claude-3-haiku-20240307-v1:0", 50_000, id="europe"),
        pytest.param(
            "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0",
            50_000,
            id="inference-profile",
        ),
        pytest.param(
            "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/n3tqz7ypvs0g",
            None,
            id="nobody-says-which-model-a-profile-of-ones-own-is",
        ),
    ],
)
def test_a_models_name_comes_with_or_without_a_place(
    process: Process, replay: ReplayServer, bedrock: Any, model: str, cost: int | None
):
    """Haiku 4.5 anywhere: 100 x 1.00 + 20 x 5.00; Claude 3 Haiku: 100 x 0.25 + 20 x 1.25 per million."""
    replay.replies = [answered(ANSWER)]

    bedrock.converse(**{**ASK, "modelId": model})

    charge = process.charge
    assert (charge.requested_model, charge.cost_nano) == (model, cost)
    assert charge.usage.counts == {"input_tokens": 100, "output_tokens": 20}


@pytest.mark.parametrize(
    ("usage", "counts", "status"),
    [
        pytest.param({"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}, {}, "confirmed", id="zero-is-a-report"),
        pytest.param(None, None, "estimated", id="missing"),
    ],
)
def test_what_is_not_reported_is_estimated(
    process: Process, replay: ReplayServer, bedrock: Any, usage: Any, counts: Any, status: str
):
    replay.replies = [answered({**ANSWER, "usage": usage})]

    bedrock.converse(**ASK)

    assert process.charge.status == status
    assert counts is None or process.charge.usage.counts == counts


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (424, "ModelErrorException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ],
)
@pytest.mark.parametrize("method", ["converse", "converse_stream"])
def test_an_error_is_no_charge_but_a_span(
    process: Process, replay: ReplayServer, bedrock: Any, status: int, name: str, method: str
):
    replay.replies = [amazon.failed(status, name)]

    with pytest.raises(ClientError) as raised:
        getattr(bedrock, method)(**ASK)

    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == str(status)
    assert not span.status.is_ok


def test_a_model_that_took_too_long_may_have_been_paid(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [amazon.failed(408, "ModelTimeoutException")]

    with pytest.raises(ClientError):
        bedrock.converse(**ASK)

    assert process.charge.status == "suspected"


@pytest.mark.parametrize("name", ["throttlingException", "modelStreamErrorException"])
def test_a_stream_that_the_provider_breaks_off_is_estimated(
    process: Process, replay: ReplayServer, bedrock: Any, name: str
):
    """The SDK raises its own error about it; what had come is paid."""
    replay.replies = [streamed([*stream_of("Oslo is the capital", " of Norway")[:3], exception(name, "too many")])]
    stream = bedrock.converse_stream(**ASK)["stream"]

    with closing(stream), pytest.raises(EventStreamError):
        list(stream)

    charge = process.charge
    assert (charge.status, charge.method, charge.error_type) == ("estimated", "stream-ended-early", name)
    assert charge.usage.output_tokens > 3
    (span,) = process.spans
    assert told(span)["error.type"] == name
    assert not span.status.is_ok


def test_a_connection_cut_within_a_frame_is_estimated(process: Process, replay: ReplayServer, bedrock: Any):
    frames = stream_of("Oslo is the capital", " of Norway")
    replay.replies = [streamed(frames, breaks_after=len(b"".join(frames[:3])) + 21)]
    stream = bedrock.converse_stream(**ASK)["stream"]

    with pytest.raises(Exception, match=r"IncompleteRead|ended prematurely|Connection broken"):
        list(stream)

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")


def first(stream: Any) -> None:
    next(iter(stream))


def close(stream: Any) -> None:
    first(stream)
    stream.close()


def drop(stream: Any) -> None:
    for _ in stream:
        break


def close_unread(stream: Any) -> None:
    stream.close()


def drop_unread(stream: Any) -> None:
    del stream


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a stream that is dropped leaves its socket open, us or not
@pytest.mark.parametrize("leave", [close, drop, close_unread, drop_unread])
def test_a_stream_that_is_left_early_is_settled_once(
    start: Start, replay: ReplayServer, bedrock: Any, leave: Callable[[Any], None]
):
    """However a program leaves it: the reservation ends, and what is not known is estimated."""
    process = start('[[budget]]\nname = "all"\nlimit = 5.0\nwindow = "day"\n')
    replay.replies = [streamed(stream_of(*["word"] * 3000))]
    answer = bedrock.converse_stream(**ASK)

    leave(answer["stream"])
    del answer
    gc.collect()

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.open_reservations == 0


def test_a_refused_call_is_not_sent_and_not_tried_again(start: Start, replay: ReplayServer, bedrock: Any):
    """What we raise passes the SDK as it is, at the call itself, streamed or not."""
    process = start('[[budget]]\nname = "all"\nlimit = 0.000001\nwindow = "day"\n')

    for call in (bedrock.converse, bedrock.converse_stream):
        with pytest.raises(BudgetExceededError):
            call(**ASK)

    assert replay.received == []
    assert process.charges == []
    assert [told(span)["error.type"] for span in process.spans] == ["BudgetExceededError"] * 2


def test_the_request_is_left_as_it_was(process: Process, replay: ReplayServer, bedrock: Any):
    """Pictures in it are bytes, which are counted and not touched."""
    picture = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n" + bytes(100)}}}
    ask = copy.deepcopy(ASK) | {"messages": [{"role": "user", "content": [picture, {"text": "What is this?"}]}]}
    before = copy.deepcopy(ask)
    replay.replies = [answered(ANSWER)]

    bedrock.converse(**ask)

    assert ask == before
    assert process.charge.status == "confirmed"


@amazon.needs("ApplyGuardrail")
def test_other_operations_and_services_pass(process: Process, replay: ReplayServer, bedrock: Any):
    """A guardrail's own check is no model's answer."""
    replay.replies = [answered({"usage": {}, "action": "NONE", "outputs": [], "assessments": []})]

    bedrock.apply_guardrail(
        guardrailIdentifier="g", guardrailVersion="1", source="INPUT", content=[{"text": {"text": "hi"}}]
    )

    assert process.charges == []
    assert process.spans == []


@pytest.fixture
def patient(replay: ReplayServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client that tries twice; the SDK waits in between, a test does not."""
    monkeypatch.setattr("botocore.retryhandler.delay_exponential", lambda *_args, **_kwargs: 0)
    with amazon.client(replay.url, attempts=2) as client:
        yield client


@pytest.mark.parametrize(
    "lost", [Reply(status=504), Reply(body=answered(ANSWER).body, breaks_after=50)], ids=["given-up", "cut"]
)
def test_an_attempt_whose_end_nobody_saw_is_suspected(
    process: Process, replay: ReplayServer, patient: Any, lost: Reply
):
    """Trying again is the SDK's own doing: it is one call, with one more answer that may have been billed."""
    replay.replies = [lost, answered(ANSWER)]

    patient.converse(**ASK)

    found = sorted((charge.status, charge.method) for charge in process.charges)
    assert found == [("confirmed", "reported"), ("suspected", "lost-attempt")]
    assert len(process.spans) == 1


def test_an_attempt_that_was_turned_away_costs_nothing(process: Process, replay: ReplayServer, patient: Any):
    replay.replies = [amazon.failed(429, "ThrottlingException"), answered(ANSWER)]

    assert patient.converse(**ASK)["ResponseMetadata"]["RetryAttempts"] == 1

    assert process.charge.status == "confirmed"


def test_an_answer_that_never_came_is_suspected_once(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [Reply(body=answered(ANSWER).body, breaks_after=50)]

    with pytest.raises(BotoCoreError):
        bedrock.converse(**ASK)

    assert (process.charge.status, process.charge.method) == ("suspected", "no-answer-seen")


def test_what_never_left_costs_nothing(process: Process, replay: ReplayServer):
    """Nobody listens there."""
    with amazon.client("http://127.0.0.1:1") as client, pytest.raises(EndpointConnectionError):
        client.converse(**ASK)

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == "EndpointConnectionError"


def test_a_request_that_the_sdk_rejects_costs_nothing(process: Process, replay: ReplayServer, bedrock: Any):
    with pytest.raises(ParamValidationError):
        bedrock.converse(modelId=HAIKU, messages="hello")
    with pytest.raises(ParamValidationError):
        bedrock.converse(messages=[])

    assert process.charges == []


def test_whom_a_call_is_for_is_known_here_and_stays_here(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [answered(ANSWER)]

    with otel_llmcost.attribute(agent="geographer", user="u-7"):
        bedrock.converse(**ASK)

    assert (process.charge.tags["agent"], process.charge.tags["user"]) == ("geographer", "u-7")
    assert "baggage" not in replay.received[0].headers


@pytest.mark.parametrize(
    ("call", "reply"), [(converse, answered(ANSWER)), (converse_stream, streamed(stream_of("Os", "lo.")))]
)
def test_another_model_and_a_cap_are_signed_as_they_are_sent(
    start: Start, replay: ReplayServer, bedrock: Any, call: Any, reply: Reply
):
    """Nova Lite, 100 x 0.06 + 20 x 0.24 per million."""
    process = changing(start, cap=50, route={"*.anthropic.*": "us.amazon.nova-lite-v1:0"})
    replay.replies = [reply]

    call(bedrock)

    (received,) = replay.received
    assert received.path.startswith("/model/us.amazon.nova-lite-v1%3A0/converse")
    assert received.json == {"messages": ASK["messages"], "inferenceConfig": {"maxTokens": 50}}
    assert amazon.is_rightly_signed(replay.url, received)
    assert len(the_charge(process).actions) == 2
    assert the_charge(process).cost_nano == 10_800


def test_a_repeated_attempt_is_changed_too_and_what_is_rejected_is_sent_as_it_was(start: Start, replay: ReplayServer):
    process = changing(start, cap=50)
    denied = amazon.failed(403, "AccessDeniedException")
    replay.replies = [amazon.failed(503, "ServiceUnavailableException"), denied, answered(ANSWER)]

    with amazon.client(replay.url, attempts=2) as client:
        client.converse(**ASK)

    assert [each.json["inferenceConfig"]["maxTokens"] for each in replay.received] == [50, 50, 400]
    assert the_charge(process).actions == ("cap 50: b at 50% (not possible)",)
