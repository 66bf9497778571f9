"""However a call or a stream ends, its reservation ends with it, and what may have been billed is not shown as 0."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import openai
import pytest

from examples.provider_server import ProviderServer
from tests.instrumentation.conftest import Process, Start

ASK: Any = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Say it in 100 words"}],
    "max_tokens": 300,
}
BUDGET = '[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\n'


@pytest.fixture(params=["memory", "sqlite"])
def process(start: Start, request: pytest.FixtureRequest) -> Process:
    return start(BUDGET, store=request.param)


@pytest.fixture
def client(server: ProviderServer) -> Any:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as made:
        yield made


def closed(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**ASK, stream=True)
    next(iter(stream))
    stream.close()


def left_its_with(client: openai.OpenAI) -> None:
    with client.chat.completions.create(**ASK, stream=True) as stream:
        for _ in stream:
            break


def dropped(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**ASK, stream=True)
    next(iter(stream))
    del stream
    gc.collect()


def never_read(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**ASK, stream=True)
    del stream
    gc.collect()


def raised_inside(client: openai.OpenAI, error: type[BaseException] = RuntimeError) -> None:
    with suppress(error), client.chat.completions.create(**ASK, stream=True) as stream:
        for _ in stream:
            raise error


def interrupted(client: openai.OpenAI) -> None:
    raised_inside(client, KeyboardInterrupt)


def raw_left(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK, stream=True) as response:
        for _ in response.iter_lines():
            break


def cut_by_the_provider(client: openai.OpenAI) -> None:
    with suppress(Exception):  # each version of the SDK lets another error through, the newest none at all
        list(client.chat.completions.create(**ASK, stream=True, extra_headers={"x-fault": "cut-mid-stream"}))


@pytest.mark.parametrize(
    "end", [closed, left_its_with, dropped, never_read, raised_inside, interrupted, raw_left, cut_by_the_provider]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_stream_that_ends_early_is_settled_by_estimate(
    end: Callable[[openai.OpenAI], None], process: Process, client: openai.OpenAI
) -> None:
    """Nobody reported a usage, so what was sent and received is counted, and marked as an estimate."""
    end(client)

    charge = process.charge
    assert charge.status == "estimated"
    assert charge.method == "stream-ended-early"
    assert charge.usage.input_tokens > 0
    assert charge.cost_nano is not None
    assert process.open_reservations == 0
    assert process.balance("b").settled_nano == charge.cost_nano


def test_what_was_received_is_part_of_the_estimate(process: Process, client: openai.OpenAI) -> None:
    """Fifty events of a token each are about fifty tokens of output."""
    with client.chat.completions.create(**ASK, stream=True) as stream:
        for number, _ in enumerate(stream):
            if number == 50:
                break

    assert 20 <= process.charge.usage.output_tokens <= 80


def test_an_answer_without_usage_is_estimated(process: Process, client: openai.OpenAI) -> None:
    """Some servers report none; the method says so."""
    list(client.chat.completions.create(**ASK, stream=True, extra_headers={"x-fault": "no-usage"}))

    charge = process.charge
    assert (charge.status, charge.method) == ("estimated", "no-usage-reported")
    assert 50 <= charge.usage.output_tokens <= 250


async def test_a_cancelled_task_leaves_no_reservation_open(process: Process, server: ProviderServer) -> None:
    """The request is out and its end is not seen: suspected spend, on the budget until the window ends."""
    server.hold()
    async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        task = asyncio.ensure_future(client.chat.completions.create(**ASK))
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.release()

    assert process.charge.status == "suspected"
    assert process.charge.error_type == "CancelledError"
    assert process.balance("b").suspected_nano == process.charge.cost_nano


def test_a_timeout_of_the_sdk_is_suspected_spend(process: Process, server: ProviderServer) -> None:
    """The provider may go on working, and bill it."""
    server.hold()
    with (
        openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0, timeout=0.2) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(**ASK)
    server.release()

    assert process.charge.status == "suspected"
    assert process.open_reservations == 0


def test_a_connection_that_never_was_costs_nothing(process: Process) -> None:
    """Nothing was sent."""
    with (
        openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0) as client,
        pytest.raises(openai.APIConnectionError),
    ):
        client.chat.completions.create(**ASK)

    assert process.charges == []
    assert process.open_reservations == 0


def test_an_answer_too_long_for_its_schema_is_paid_all_the_same(process: Process, server: ProviderServer) -> None:
    """`.parse()` raises about a cut answer; the error carries it, with its usage."""
    if not hasattr(openai, "LengthFinishReasonError"):
        pytest.skip("this openai has no .parse()")
    from pydantic import BaseModel

    class City(BaseModel):
        name: str
        history: str

    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        parse = getattr(client.chat.completions, "parse", None) or client.beta.chat.completions.parse
        with pytest.raises(openai.LengthFinishReasonError):
            parse(model="gpt-4o-mini", messages=ASK["messages"], max_tokens=3, response_format=City)

    assert process.charge.status == "confirmed"
    assert process.charge.usage.output_tokens == 3


def test_a_stream_that_is_open_when_the_process_ends_is_settled(process: Process, client: openai.OpenAI) -> None:
    """Nobody sees the rest, so all of it is suspected; its own end, should it come yet, changes nothing."""
    stream = client.chat.completions.create(**ASK, stream=True)
    next(iter(stream))

    process.runtime.at_exit()
    stream.close()

    assert (process.charge.status, process.charge.method) == ("suspected", "no-answer-seen")
    assert process.charge.usage.output_tokens > 0
    assert process.open_reservations == 0


def test_a_forked_child_does_not_settle_its_parents_calls(start: Start, server: ProviderServer) -> None:
    """The child has a copy of the stream; dropping it there must not end the parent's call."""
    process = start(BUDGET, store="sqlite")
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        stream = client.chat.completions.create(**ASK, stream=True)
        next(iter(stream))
        child = os.fork()
        if child == 0:
            del stream
            gc.collect()
            process.runtime.at_exit()
            os._exit(0)
        os.waitpid(child, 0)
        list(stream)

    assert process.charge.status == "confirmed"
