"""Bedrock's InvokeModel and its stream through boto3, in the bodies of the models' makers."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import pytest
from botocore.awsrequest import AWSResponse
from botocore.eventstream import EventStream
from botocore.exceptions import ClientError, EventStreamError
from botocore.response import StreamingBody
from urllib3 import HTTPResponse

from tests.instrumentation.conftest import Process, Start
from tests.replay import amazon
from tests.replay.amazon import answered, counted, exception, piece, streamed
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
CLAUDE_ASK = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "What is the capital of Norway?"}],
}
CLAUDE_ANSWER = {
    "id": "msg_bdrk_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-haiku-20240307",
    "content": [{"type": "text", "text": "Oslo."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 100, "output_tokens": 20},
}


def metrics(input_tokens: int, output_tokens: int, **more: int) -> dict[str, Any]:
    counts = {"inputTokenCount": input_tokens, "outputTokenCount": output_tokens, **more}
    times = {"invocationLatency": 511, "firstByteLatency": 201}
    return {"amazon-bedrock-invocationMetrics": {**counts, **times}}


def claude_stream(*texts: str, usage: dict[str, Any] | None = None, **cached: int) -> list[bytes]:
    first = {**CLAUDE_ANSWER, "content": [], "stop_reason": None}
    first |= {"usage": usage, "model": "claude-haiku-4-5-20251001"} if usage else {}
    return [
        piece({"type": "message_start", "message": first}),
        piece({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *(
            piece({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
            for text in texts
        ),
        piece({"type": "content_block_stop", "index": 0}),
        piece({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}}),
        piece({"type": "message_stop", **metrics(100, 20, **cached)}),
    ]


@pytest.fixture
def bedrock(replay: ReplayServer) -> Iterator[Any]:
    with amazon.client(replay.url) as client:
        yield client


def invoke(client: Any, model: str, body: object) -> Any:
    answer = client.invoke_model(modelId=model, body=json.dumps(body))
    assert type(answer["body"]) is StreamingBody
    return json.loads(answer["body"].read())


def invoke_stream(client: Any, model: str, body: object) -> list[Any]:
    answer = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))
    assert type(answer["body"]) is EventStream
    return [json.loads(each["chunk"]["bytes"]) for each in answer["body"]]


MESSAGES = {"messages": [{"role": "user", "content": "Hi"}]}
PROMPT = {"prompt": "Hi"}


class Case(NamedTuple):
    """What is asked, what comes: an answer or frames, and headers that count; what it costs."""

    model: str
    body: Any
    said: Any
    headers: Any
    cost: str


def case(model: str, body: Any, said: Any, headers: Any, cost: str, *, name: str) -> Any:
    return pytest.param(Case(model, body, said, headers, cost), id=name)


PRICES = """
[[price]]   # not in every price book
provider = "aws.bedrock"
model = "cohere.command-r-plus*"
input = 3.00
output = 15.00
"""
ANSWERS = [
    case(CLAUDE, CLAUDE_ASK, CLAUDE_ANSWER, None, "0.00005", name="anthropic"),  # 100 x 0.25 + 20 x 1.25
    case(
        "amazon.nova-lite-v1:0",
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Oslo."}]}},
            "stopReason": "end_turn",
            "usage": {
                "inputTokens": 100,
                "outputTokens": 20,
                "totalTokens": 120,
                "cacheReadInputTokenCount": 0,
                "cacheWriteInputTokenCount": 0,
            },
        },
        None,
        "0.0000108",  # 100 x 0.06 + 20 x 0.24
        name="nova",
    ),
    case(
        "amazon.titan-text-express-v1",
        {"inputText": "Hi"},
        {
            "inputTextTokenCount": 100,
            "results": [{"tokenCount": 20, "outputText": "Oslo.", "completionReason": "FINISH"}],
        },
        None,
        "0.000032",  # 100 x 0.20 + 20 x 0.60
        name="titan",
    ),
    case(
        "meta.llama3-8b-instruct-v1:0",
        PROMPT,
        {"generation": "Oslo.", "prompt_token_count": 100, "generation_token_count": 20, "stop_reason": "stop"},
        None,
        "0.000042",  # 100 x 0.30 + 20 x 0.60
        name="llama",
    ),
    case(
        "mistral.mistral-large-2402-v1:0",
        PROMPT,
        {"outputs": [{"text": "Oslo.", "stop_reason": "stop"}]},
        counted(100, 20),
        "0.00064",  # 100 x 4.00 + 20 x 12.00
        name="mistral-counted-in-headers",
    ),
    case(
        "cohere.command-r-plus-v1:0",
        {"message": "Hi"},
        {"response_id": "r", "text": "Oslo.", "generation_id": "g", "finish_reason": "COMPLETE"},
        counted(100, 20),
        "0.0006",  # 100 x 3.00 + 20 x 15.00
        name="cohere-counted-in-headers",
    ),
    case(
        "openai.gpt-oss-120b-1:0",
        MESSAGES,
        {
            "id": "chatcmpl-1",
            "model": "openai.gpt-oss-120b-1:0",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Oslo."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        },
        counted(100, 20),
        "0.000027",  # 100 x 0.15 + 20 x 0.60
        name="openai",
    ),
]


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_is_charged_by_its_makers_count_or_by_the_headers(
    start: Start, replay: ReplayServer, bedrock: Any, case: Case
):
    """Prices are USD per million, as Amazon lists them for us-east-1."""
    process = start(PRICES)
    replay.replies = [answered(case.said, headers=case.headers)]

    assert invoke(bedrock, case.model, case.body) == case.said

    check(
        process.charge,
        Expected(
            provider="aws.bedrock",
            model=case.model,
            usage={"input_tokens": 100, "output_tokens": 20},
            cost_usd=case.cost,
            response_id=case.said.get("id", amazon.REQUEST_ID),
        ),
    )
    assert len(process.spans) == 1


NOVA_STREAM = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "Oslo."}, "contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {
        "metadata": {
            "usage": {
                "inputTokens": 100,
                "outputTokens": 20,
                "cacheReadInputTokenCount": 0,
                "cacheWriteInputTokenCount": 0,
            },
            "metrics": {},
            "trace": {},
        },
        **metrics(100, 20),
    },
]
STREAMS = [
    case(CLAUDE, CLAUDE_ASK, claude_stream("Os", "lo."), None, "0.00005", name="anthropic"),
    case("amazon.nova-lite-v1:0", MESSAGES, [piece(each) for each in NOVA_STREAM], None, "0.0000108", name="nova"),
    case(
        "amazon.titan-text-express-v1",
        {"inputText": "Hi"},
        [
            piece(
                {
                    "outputText": text,
                    "index": 0,
                    "totalOutputTextTokenCount": n_output,
                    "completionReason": None if n_output is None else "FINISH",
                    "inputTextTokenCount": n_input,
                    **({} if n_output is None else metrics(100, 20)),
                }
            )
            for text, n_input, n_output in [("Os", 100, None), ("lo.", None, 20)]
        ],
        None,
        "0.000032",
        name="titan",
    ),
    case(
        "meta.llama3-8b-instruct-v1:0",
        PROMPT,
        [
            *(
                piece(
                    {"generation": text, "prompt_token_count": first, "generation_token_count": n, "stop_reason": None}
                )
                for n, (text, first) in enumerate([("Os", 100), ("lo", None), (".", None)], 1)
            ),
            piece(
                {
                    "generation": "",
                    "prompt_token_count": None,
                    "generation_token_count": 20,
                    "stop_reason": "stop",
                    **metrics(100, 20),
                }
            ),
        ],
        None,
        "0.000042",
        name="llama",
    ),
    case(
        "mistral.mistral-large-2402-v1:0",
        PROMPT,
        [
            piece({"outputs": [{"text": "Oslo", "stop_reason": None}]}),
            piece({"outputs": [{"text": ".", "stop_reason": "stop"}], **metrics(100, 20)}),
        ],
        None,
        "0.00064",
        name="mistral",
    ),
    case(
        "cohere.command-r-plus-v1:0",
        {"message": "Hi"},
        [
            piece({"is_finished": False, "event_type": "text-generation", "text": "Oslo."}),
            piece({"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", **metrics(100, 20)}),
        ],
        None,
        "0.0006",
        name="cohere",
    ),
]


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_is_charged_by_its_makers_count_or_by_amazons(
    start: Start, replay: ReplayServer, bedrock: Any, case: Case
):
    """The last event has Amazon's own counts beside what the maker says."""
    process = start(PRICES)
    replay.replies = [streamed(case.said)]

    assert len(invoke_stream(bedrock, case.model, case.body)) == len(case.said)

    check(
        process.charge,
        Expected(
            provider="aws.bedrock",
            model=case.model,
            usage={"input_tokens": 100, "output_tokens": 20},
            cost_usd=case.cost,
            response_id=CLAUDE_ANSWER["id"] if case.model == CLAUDE else amazon.REQUEST_ID,
        ),
    )


CACHED = {"input_tokens": 100, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 500}
TIMES = {"cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200}}
CACHED_USAGE = {
    "input_tokens": 1600,
    "cache_read_tokens": 1000,
    "cache_write_tokens": 500,
    "cache_write_1h_tokens": 200,
    "output_tokens": 20,
}


def cached_answer() -> Any:
    answer = {**CLAUDE_ANSWER, "model": "claude-haiku-4-5-20251001", "usage": {**CACHED, **TIMES, "output_tokens": 20}}
    return answered(answer, headers=counted(100, 20, read=1000, write=500))


def cached_stream() -> Any:
    counts = {"cacheReadInputTokenCount": 1000, "cacheWriteInputTokenCount": 500}
    return streamed(claude_stream("Oslo.", usage={**CACHED, **TIMES, "output_tokens": 1}, **counts))


@pytest.mark.parametrize(("call", "reply"), [(invoke, cached_answer()), (invoke_stream, cached_stream())])
def test_cached_tokens_are_counted_once_with_the_time_they_are_kept(
    process: Process, replay: ReplayServer, bedrock: Any, call: Any, reply: Any
):
    """Anywhere, Haiku 4.5 costs 1.00 in, 5.00 out, 0.10 read, 1.25 written, 2.00 written for an hour."""
    replay.replies = [reply]

    call(bedrock, HAIKU, CLAUDE_ASK)

    check(
        process.charge,
        Expected(
            provider="aws.bedrock",
            model=HAIKU,
            usage=CACHED_USAGE,
            cost_usd="0.001075",  # 100 + 100 + 300 x 1.25 + 200 x 2.00 + 20 x 5.00 = 1,075 millionths
        ),
    )


def test_a_nova_answer_with_cached_tokens_leaves_them_out_of_its_input(
    process: Process, replay: ReplayServer, bedrock: Any
):
    """100 fresh x 0.06 + 1,000 read x 0.015 + 20 x 0.24 = 25.8 millionths."""
    usage = {"inputTokens": 100, "outputTokens": 20, "totalTokens": 1120, "cacheReadInputTokenCount": 1000}
    replay.replies = [answered({"usage": usage})]

    invoke(bedrock, "amazon.nova-lite-v1:0", MESSAGES)

    assert process.charge.usage.counts == {"input_tokens": 1100, "cache_read_tokens": 1000, "output_tokens": 20}
    assert process.charge.cost_nano == 25_800


def test_embeddings_are_charged_by_their_input(process: Process, replay: ReplayServer, bedrock: Any):
    """Titan V2 costs 0.02, Cohere's English V3 0.10 per million."""
    replay.replies = [
        answered({"embedding": [0.1, 0.2], "inputTextTokenCount": 1000}),
        answered({"id": "e", "embeddings": [[0.1]], "texts": ["Oslo"]}, headers=counted(1000)),
    ]

    invoke(bedrock, "amazon.titan-embed-text-v2:0", {"inputText": "Oslo"})
    invoke(bedrock, "cohere.embed-english-v3", {"texts": ["Oslo"], "input_type": "search_query"})

    assert [charge.operation for charge in process.charges] == ["embeddings", "embeddings"]
    assert [charge.usage.counts for charge in process.charges] == [{"input_tokens": 1000}] * 2
    assert process.charges[0].cost_nano == 20_000


def test_a_reranking_is_a_search(process: Process, replay: ReplayServer, bedrock: Any):
    """No answer counts it: a query with up to 100 documents is one."""
    replay.replies = [answered({"results": [{"index": 0, "relevance_score": 0.9}]})]

    invoke(bedrock, "cohere.rerank-v3-5:0", {"query": "capital", "documents": ["Oslo", "Bergen"], "api_version": 2})

    charge = process.charge
    assert (charge.operation, charge.usage["search_units"]) == ("rerank", 1)


def test_images_are_counted(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [answered({"images": ["aGk=", "aGk="], "error": None})]
    ask = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "A fjord"}}

    invoke(bedrock, "amazon.nova-canvas-v1:0", {**ask, "imageGenerationConfig": {"numberOfImages": 2}})

    charge = process.charge
    assert (charge.operation, charge.usage.counts) == ("image_generation", {"images": 2})


@amazon.needs("InvokeModel", "serviceTier")
def test_the_tier_stands_in_a_header(process: Process, replay: ReplayServer, bedrock: Any):
    """Nova Pro on the priority tier: 1.75 times 0.80 in and 3.20 out."""
    usage = {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}
    replay.replies = [answered({"usage": usage}, headers={"X-Amzn-Bedrock-Service-Tier": "priority"})]

    answer = bedrock.invoke_model(
        modelId="amazon.nova-pro-v1:0", body=json.dumps(MESSAGES).encode(), serviceTier="priority"
    )
    answer["body"].read()

    assert process.charge.tier == "priority"
    assert process.charge.cost_nano == 100 * 1400 + 20 * 5600


@pytest.mark.parametrize(
    ("call", "reply"), [(invoke, answered(CLAUDE_ANSWER)), (invoke_stream, streamed(claude_stream()))]
)
def test_a_model_that_is_paid_by_the_hour_has_no_price_for_a_call(
    process: Process, replay: ReplayServer, bedrock: Any, call: Any, reply: Any
):
    """The answer names the model it is made of, but that one's price is not paid."""
    replay.replies = [reply]

    call(bedrock, "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/q1w2e3r4t5y6", CLAUDE_ASK)

    charge = process.charge
    assert (charge.status, charge.cost_nano) == ("unpriced", None)
    assert charge.usage.counts == {"input_tokens": 100, "output_tokens": 20}


def read_all(body: StreamingBody) -> bytes:
    return body.read()


def read_pieces(body: StreamingBody) -> bytes:
    return b"".join(body.iter_chunks(7))


def read_lines(body: StreamingBody) -> bytes:
    return b"".join(body.iter_lines(11))


def iterate(body: StreamingBody) -> bytes:
    return b"".join(body)


def read_within(body: StreamingBody) -> bytes:
    with body as raw:
        return raw.read()


def read_what_is_below(body: StreamingBody) -> bytes:
    return b"".join(body._raw_stream.stream(5))


def read_some_and_close(body: StreamingBody) -> bytes:
    data = body.read(len(json.dumps(CLAUDE_ANSWER)))
    body.close()
    return data


def read_as_text(body: StreamingBody) -> bytes:
    return io.TextIOWrapper(io.BufferedReader(body._raw_stream), "utf-8").read().encode()


@pytest.mark.parametrize(
    "read",
    [
        *(read_all, read_pieces, read_lines, iterate, read_within),
        *(read_what_is_below, read_some_and_close, read_as_text),
    ],
)
def test_a_body_may_be_read_in_any_way(
    process: Process, replay: ReplayServer, bedrock: Any, read: Callable[[StreamingBody], bytes]
):
    replay.replies = [answered(CLAUDE_ANSWER)]

    body = bedrock.invoke_model(modelId=CLAUDE, body=json.dumps(CLAUDE_ASK))["body"]

    assert json.loads(read(body)) == CLAUDE_ANSWER
    assert (process.charge.status, process.charge.cost_nano) == ("confirmed", 50_000)


def close(body: Any) -> None:
    body.close()


def begin_and_close(body: Any) -> None:
    body.read(10)
    body.close()


def drop(body: Any) -> None:
    del body


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("leave", [close, begin_and_close, drop])
@pytest.mark.parametrize(("headers", "status"), [(counted(100, 20), "confirmed"), (None, "estimated")])
def test_a_body_that_nobody_reads_is_charged_by_the_headers(
    process: Process, replay: ReplayServer, bedrock: Any, leave: Callable[[Any], None], headers: Any, status: str
):
    replay.replies = [answered(CLAUDE_ANSWER, headers=headers)]
    answer = bedrock.invoke_model(modelId=CLAUDE, body=json.dumps(CLAUDE_ASK))

    leave(answer.pop("body"))
    del answer
    gc.collect()

    assert process.charge.status == status
    assert status == "estimated" or process.charge.cost_nano == 50_000


def test_a_stream_may_be_left_after_its_last_event(process: Process, replay: ReplayServer, bedrock: Any):
    """All that is paid has been told by then."""
    replay.replies = [streamed(claude_stream("Oslo."))]
    stream = bedrock.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(CLAUDE_ASK))["body"]

    for each in stream:
        if json.loads(each["chunk"]["bytes"])["type"] == "message_stop":
            break
    stream.close()

    assert (process.charge.status, process.charge.cost_nano) == ("confirmed", 50_000)


def test_a_stream_that_breaks_off_is_estimated_by_what_came(process: Process, replay: ReplayServer, bedrock: Any):
    told_so_far = claude_stream("Oslo is the capital of Norway", " and its largest city")[:4]
    replay.replies = [streamed([*told_so_far, exception("internalServerException", "no")])]

    stream = bedrock.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(CLAUDE_ASK))["body"]

    with closing(stream), pytest.raises(EventStreamError):
        list(stream)

    charge = process.charge
    assert (charge.status, charge.error_type) == ("estimated", "internalServerException")
    assert charge.usage.input_tokens == 100
    assert charge.usage.output_tokens > 5


def test_a_malformed_answer_is_estimated(process: Process, replay: ReplayServer, bedrock: Any):
    replay.replies = [amazon.Reply(body=b"not JSON at all")]

    body = bedrock.invoke_model(modelId=CLAUDE, body=json.dumps(CLAUDE_ASK))["body"]

    assert body.read() == b"not JSON at all"
    assert process.charge.status == "estimated"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(CLAUDE_ASK),
        json.dumps(CLAUDE_ASK).encode(),
        bytearray(json.dumps(CLAUDE_ASK).encode()),
        io.BytesIO(json.dumps(CLAUDE_ASK).encode()),
    ],
    ids=["text", "bytes", "bytearray", "file"],
)
def test_a_request_may_be_given_in_any_form(start: Start, replay: ReplayServer, bedrock: Any, body: Any):
    """Its input is counted before it is sent, and it is sent as it is."""
    process = start('[[budget]]\nname = "all"\nlimit = 5.0\nwindow = "day"\nreserve = "worst"\n')
    replay.replies = [answered(CLAUDE_ANSWER)]

    bedrock.invoke_model(modelId=CLAUDE, body=body)["body"].read()

    assert replay.received[0].json == CLAUDE_ASK
    (span,) = process.spans
    assert told(span)["gen_ai.request.max_tokens"] == 300


@pytest.mark.parametrize("call", [invoke, invoke_stream])
def test_an_error_is_no_charge_but_a_span(process: Process, replay: ReplayServer, bedrock: Any, call: Any):
    replay.replies = [amazon.failed(429, "ThrottlingException")]

    with pytest.raises(ClientError):
        call(bedrock, CLAUDE, CLAUDE_ASK)

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == "429"


class InMemory(io.BytesIO):
    """What stands for a response in the tests of others."""

    def stream(self, *_: Any) -> Iterator[bytes]:
        while piece := self.read(11):
            yield piece


def from_memory(data: bytes) -> Any:
    return InMemory(data)


def with_a_length(data: bytes) -> Any:
    """Make a response as it comes where its length is known."""
    return HTTPResponse(io.BytesIO(data), preload_content=False)


@pytest.mark.parametrize("make", [from_memory, with_a_length])
def test_a_response_may_come_from_anywhere(
    process: Process, replay: ReplayServer, bedrock: Any, make: Callable[[bytes], Any]
):
    """botocore lets others answer in the network's place."""
    frames = b"".join(claude_stream("Os", "lo."))
    body = json.dumps(CLAUDE_ANSWER).encode()
    bedrock.meta.events.register(
        "before-send.bedrock-runtime.InvokeModel", lambda **_: AWSResponse("http://x", 200, {}, make(body))
    )
    bedrock.meta.events.register(
        "before-send.bedrock-runtime.InvokeModelWithResponseStream",
        lambda **_: AWSResponse("http://x", 200, {"content-type": amazon.STREAM}, make(frames)),
    )

    assert invoke(bedrock, CLAUDE, CLAUDE_ASK) == CLAUDE_ANSWER
    assert len(invoke_stream(bedrock, CLAUDE, CLAUDE_ASK)) == 7

    assert [charge.cost_nano for charge in process.charges] == [50_000, 50_000]
    assert {charge.status for charge in process.charges} == {"confirmed"}


class Bare:
    """A body that lets itself be read, and nothing else."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, _amount: int | None = None) -> bytes:
        return self.data


def test_a_response_that_cannot_be_looked_at_is_estimated(process: Process, replay: ReplayServer, bedrock: Any):
    raw = Bare(json.dumps(CLAUDE_ANSWER).encode())
    bedrock.meta.events.register(
        "before-send.bedrock-runtime.InvokeModel", lambda **_: AWSResponse("http://x", 200, {}, raw)
    )

    assert invoke(bedrock, CLAUDE, CLAUDE_ASK) == CLAUDE_ANSWER

    assert process.charge.status == "estimated"


@pytest.mark.parametrize("body", [json.dumps(CLAUDE_ASK), json.dumps(CLAUDE_ASK).encode(), io.BytesIO])
def test_another_model_of_the_same_maker_and_a_cap_are_signed_as_they_are_sent(
    start: Start, replay: ReplayServer, bedrock: Any, body: Any
):
    """A file too, as it is not read further than it was."""
    process = changing(start, cap=50, route={"*claude*": HAIKU})
    replay.replies = [answered(CLAUDE_ANSWER)]
    given = body(json.dumps(CLAUDE_ASK).encode()) if body is io.BytesIO else body

    bedrock.invoke_model(modelId="anthropic.claude-opus-4-5-20251101-v1:0", body=given)["body"].read()

    (received,) = replay.received
    assert received.path == f"/model/{HAIKU.replace(':', '%3A')}/invoke"
    assert received.json == {**CLAUDE_ASK, "max_tokens": 50}
    assert amazon.is_rightly_signed(replay.url, received)
    assert len(the_charge(process).actions) == 2


def test_a_body_in_one_maker_s_form_is_sent_to_no_other(start: Start, replay: ReplayServer, bedrock: Any):
    process = changing(start, route={"*claude*": "us.amazon.nova-lite-v1:0"})
    replay.replies = [answered(CLAUDE_ANSWER)]

    invoke(bedrock, CLAUDE, CLAUDE_ASK)

    assert replay.received[0].path == f"/model/{CLAUDE.replace(':', '%3A')}/invoke"
    assert the_charge(process).actions == (f"route {CLAUDE} to us.amazon.nova-lite-v1:0: b at 50% (not possible)",)


def test_a_file_is_sent_from_where_it_is_even_where_a_change_is_taken_back(
    start: Start, replay: ReplayServer, bedrock: Any
):
    """It is not read on by what is rejected."""
    changing(start, route={"*claude*": HAIKU})
    replay.replies = [amazon.failed(403, "AccessDeniedException"), answered(CLAUDE_ANSWER)]
    body = io.BytesIO(b"read before" + json.dumps(CLAUDE_ASK).encode())
    body.seek(11)

    bedrock.invoke_model(modelId=CLAUDE, body=body)["body"].read()

    assert [each.json for each in replay.received] == [CLAUDE_ASK, CLAUDE_ASK]
    assert [HAIKU.replace(":", "%3A") in each.path for each in replay.received] == [True, False]
