"""What a rate limit promises: who does not fit is refused or waits, in turn, and no burst passes on estimates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import openai
import pytest

from examples.provider_server import ProviderServer
from examples.provider_server.script import Rule
from otel_llmcost import BudgetExceededError, RateLimitedError, RefusedError, attribute
from otel_llmcost.core.acts import Act, Controls
from otel_llmcost.core.budget import Balance
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Policy
from tests.instrumentation.clocks import Clock
from tests.instrumentation.conftest import Process, Start

ASK: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "word " * 990}], "max_tokens": 1000}
SMALL: Any = {**ASK, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "user": "small"}
TOKENS = 2000
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def answers_of_a_size(server: ProviderServer) -> None:
    server.script.add(Rule(usage={"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": TOKENS}))


def limit(amount: str, window: str = "1m", on_limit: str = "wait", **more: str) -> str:
    said = {"name": '"l"', "window": f'"{window}"', "on_limit": f'"{on_limit}"', **more}
    return "\n".join(["[[limit]]", amount, *(f"{key} = {value}" for key, value in said.items()), ""])


def balance(process: Process, clock: Clock, name: str = "l") -> Balance:
    process.runtime.writer.flush(5)
    spans = [(budget, span) for budget, span in process.runtime.driver.policy.spans(clock.at) if budget.name == name]
    (found,) = process.runtime.store.balances(spans)
    return found


def charges(process: Process, clock: Clock) -> Sequence[Charge]:
    process.runtime.writer.flush(5)
    return list(process.runtime.store.charges(clock.began, clock.at + MINUTE))


def client_of(server: ProviderServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0)


def async_client_of(server: ProviderServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0)


def waiting(process: Process) -> int:
    return sum(len(queue) for queue in process.runtime.driver.rooms.queues.values())


def test_a_call_over_a_limit_is_refused_and_told_when_to_come_back(start: Start, server: ProviderServer) -> None:
    """At that time it fits."""
    process = start(limit("requests = 2", on_limit="refuse"))
    clock = Clock(process.runtime.driver)
    with client_of(server) as client:
        for _ in range(2):
            client.chat.completions.create(**ASK)
        with pytest.raises(RateLimitedError) as refusal:
            client.chat.completions.create(**ASK)
        assert refusal.value.retry_after_seconds == 61
        clock.at += timedelta(seconds=61)
        client.chat.completions.create(**ASK)

    assert len(server.requests) == 3
    assert (refusal.value.limit, refusal.value.balance, refusal.value.measure) == (2, 2, "requests")
    assert process.runtime.tracing.meters.alerts == {}


def test_a_call_over_a_limit_waits_until_there_is_room(start: Start, server: ProviderServer) -> None:
    """What it waited is told, and is no duration of the call."""
    process = start(limit("requests = 2", max_wait='"5m"'))
    clock = Clock(process.runtime.driver)
    with client_of(server) as client:
        for _ in range(5):
            client.chat.completions.create(**ASK)

    assert clock.passed_seconds == 122
    assert [(each.at - clock.began).total_seconds() for each in charges(process, clock)] == [0, 0, 61, 61, 122]
    assert all(each.duration_seconds < 60 for each in charges(process, clock))
    waits = process.runtime.tracing.meters.waits["l"]
    assert (waits.count, waits.total) == (2, 122)
    assert [span.attributes.get("llmcost.limit.waited") for span in process.spans] == [None, None, 61, None, 61]
    assert waiting(process) == 0


def test_an_async_call_waits_on_its_loop(start: Start, server: ProviderServer) -> None:
    """Ten tasks, two a minute."""
    process = start(limit("requests = 2", max_wait='"10m"'))
    clock = Clock(process.runtime.driver)

    async def main() -> None:
        async with async_client_of(server) as client:
            await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(10)))

    asyncio.run(main())

    assert [(each.at - clock.began).total_seconds() // 61 for each in charges(process, clock)] == sorted(
        [*range(5)] * 2
    )


def test_nobody_waits_for_what_does_not_come_in_time(start: Start, server: ProviderServer) -> None:
    """A quota that is used up comes back tomorrow: who may wait for half a minute is told at once."""
    process = start(limit("requests = 1", window="day"))
    clock = Clock(process.runtime.driver)
    with client_of(server) as client:
        client.chat.completions.create(**ASK)
        with pytest.raises(RateLimitedError) as refusal:
            client.chat.completions.create(**ASK)

    assert clock.passed_seconds == 0
    assert 0 < refusal.value.retry_after_seconds <= 86400
    assert balance(process, clock).refused == 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_nobody_waits_for_more_than_the_whole_limit(start: Start, server: ProviderServer, is_stream: bool) -> None:
    """No time brings that."""
    process = start(limit("tokens = 500"))
    clock = Clock(process.runtime.driver)
    with client_of(server) as client, pytest.raises(RateLimitedError) as refusal:
        client.chat.completions.create(**ASK, stream=is_stream)

    assert clock.passed_seconds == 0
    assert refusal.value.retry_after_seconds is None
    assert server.requests == []


def test_who_has_waited_long_enough_is_refused_once(start: Start, server: ProviderServer) -> None:
    """A call under way may end any time, so it is worth waiting; yet not for longer than `max_wait`."""
    process = start(limit("tokens = 2500", window="1h", max_wait='"10s"'))
    clock = Clock(process.runtime.driver, left_open=1)
    with client_of(server) as client, client.chat.completions.create(**ASK, stream=True):
        with pytest.raises(RateLimitedError) as refusal:
            client.chat.completions.create(**ASK)
        assert clock.passed_seconds == 10
        assert refusal.value.retry_after_seconds == 3600 + 60 - 10

    (refused,) = (span for span in process.spans if span.status.description is not None)
    assert (refused.attributes or {})["llmcost.limit.waited"] == 10
    assert balance(process, clock).refused == 1
    assert process.runtime.tracing.meters.refusals == {("l", None, None): 1}
    assert waiting(process) == 0


class Doors:
    """Tells a test when a call waits, and wakes nobody by time."""

    def __init__(self, process: Process) -> None:
        self._came = asyncio.Queue[None]()
        process.runtime.driver.rooms.apause = self._apause

    async def one_waits(self) -> None:
        async with asyncio.timeout(30):
            await self._came.get()

    async def _apause(self, rung: asyncio.Event, _seconds: float) -> None:
        self._came.put_nowait(None)
        await rung.wait()


def test_a_call_that_ends_with_less_than_it_held_wakes_who_waits(start: Start, server: ProviderServer) -> None:
    """No time passes: 2,000 tokens were held, and a stream that is left early used few of them."""
    process = start(limit("tokens = 2500", window="1h"))
    is_waiting = Event()

    def pause(rung: SimpleQueue[None], _seconds: float) -> None:
        is_waiting.set()
        rung.get(timeout=30)

    process.runtime.driver.rooms.pause = pause
    with client_of(server) as client:
        stream = client.chat.completions.create(**{**SMALL, "max_tokens": 1000}, stream=True)
        second = Thread(target=client.chat.completions.create, kwargs={**ASK, "max_tokens": 600})
        second.start()
        assert is_waiting.wait(30)
        stream.close()
        second.join(30)

    assert len(server.requests) == 2
    assert not second.is_alive()


def test_who_came_first_goes_first_whatever_he_needs(start: Start, server: ProviderServer) -> None:
    """A small call that would fit does not overtake a large one that waits, or large ones would wait for ever."""
    process = start(limit("tokens = 3000", window="1h"))
    doors = Doors(process)

    async def main() -> None:
        async with async_client_of(server) as client:
            create = client.chat.completions.create
            first = await create(**ASK, stream=True)
            large = asyncio.create_task(create(**{**ASK, "user": "large", "max_tokens": 1500}))
            await doors.one_waits()
            small = asyncio.create_task(create(**SMALL))
            await doors.one_waits()
            assert len(server.requests) == 1
            large.cancel()
            await asyncio.wait([large, small])
            await first.close()
            assert large.cancelled()
            assert small.exception() is None

    asyncio.run(main())

    assert [request.body.get("user") for request in server.requests] == [None, "small"]
    assert waiting(process) == 0
    assert process.open_reservations == 0


def test_tasks_are_let_in_in_the_order_they_came(start: Start, server: ProviderServer) -> None:
    """One at a time, as the minutes pass."""
    process = start(limit("requests = 1", max_wait='"1h"'))
    Clock(process.runtime.driver)

    async def main() -> None:
        async with async_client_of(server) as client:
            calls = [client.chat.completions.create(**{**ASK, "user": f"u-{number}"}) for number in range(6)]
            await asyncio.gather(*calls)

    asyncio.run(main())

    assert [request.body["user"] for request in server.requests] == [f"u-{number}" for number in range(6)]


def test_who_waits_for_one_balance_holds_up_nobody_else(start: Start, server: ProviderServer) -> None:
    """A limit for all and one for each agent: the agent that is too fast waits alone, and holds nothing meanwhile."""
    per_agent = limit("requests = 1", window="1h", per='["agent"]').replace('"l"', '"each"')
    process = start(limit("requests = 3", window="1h", max_wait='"2h"') + per_agent)
    doors = Doors(process)

    async def main() -> None:
        async with async_client_of(server) as client:

            async def call(agent: str) -> None:
                with attribute(agent=agent):
                    await client.chat.completions.create(**ASK)

            await call("fast")
            with pytest.raises(RateLimitedError):
                await call("fast")
            await asyncio.gather(call("b"), call("c"))
            fourth = asyncio.create_task(call("d"))
            await doors.one_waits()
            fourth.cancel()
            await asyncio.wait([fourth])

    asyncio.run(main())

    assert len(server.requests) == 3
    assert waiting(process) == 0
    assert process.open_reservations == 0


def test_a_call_that_waits_holds_nothing_of_its_other_budgets(start: Start, server: ProviderServer) -> None:
    """All or none: what it would take elsewhere is free for others until it is its turn."""
    process = start(limit("requests = 1", max_wait='"2m"') + '[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\n')
    clock = Clock(process.runtime.driver)
    held: list[int] = []
    pause = clock.pause

    def look(rung: SimpleQueue[None], seconds: float) -> None:
        held.append(balance(process, clock, "b").reserved_nano)
        pause(rung, seconds)

    process.runtime.driver.rooms.pause = look
    with client_of(server) as client:
        for _ in range(2):
            client.chat.completions.create(**ASK)

    assert held
    assert set(held) == {0}
    assert balance(process, clock, "b").settled_nano == 2 * 750_000


def test_a_stop_reaches_who_waits(start: Start, server: ProviderServer) -> None:
    """Nothing is sent after it, however long ago it was asked for."""
    process = start(limit("requests = 1", max_wait='"2m"'))
    driver = process.runtime.driver
    clock = Clock(driver)
    pause = clock.pause

    def stop(rung: SimpleQueue[None], seconds: float) -> None:
        act = Act(act_id="1", at=clock.at, kind="stop", by="ada")
        driver.policy = Policy(driver.policy.budgets, clock.at, Controls((act,)))
        pause(rung, seconds)

    driver.rooms.pause = stop
    with client_of(server) as client:
        client.chat.completions.create(**ASK)
        with pytest.raises(RefusedError, match="stopped by ada"):
            client.chat.completions.create(**ASK)

    assert len(server.requests) == 1
    assert waiting(process) == 0


def test_who_waits_is_let_in_by_a_raise(start: Start, server: ProviderServer) -> None:
    """The owner gives more while calls wait: they need not wait for the minute to pass."""
    process = start(limit("requests = 1", max_wait='"2m"'))
    driver = process.runtime.driver
    clock = Clock(driver)
    pause = clock.pause

    def give(rung: SimpleQueue[None], seconds: float) -> None:
        act = Act(act_id="1", at=clock.at, kind="raise", by="ada", budget="l", amount_nano=1)
        driver.policy = Policy(driver.policy.budgets, clock.at, Controls(raises=(act,)))
        pause(rung, seconds)

    driver.rooms.pause = give
    with client_of(server) as client:
        for _ in range(2):
            client.chat.completions.create(**ASK)

    assert clock.passed_seconds == 1
    assert [(each.at - clock.began).total_seconds() for each in charges(process, clock)] == [0, 1]


def test_who_waits_for_a_limit_that_is_taken_away_goes_on(start: Start, server: ProviderServer) -> None:
    """The file was changed meanwhile."""
    process = start(limit("requests = 1", max_wait='"2m"'))
    driver = process.runtime.driver
    clock = Clock(driver)
    pause = clock.pause

    def take_away(rung: SimpleQueue[None], seconds: float) -> None:
        driver.policy = Policy((), clock.at)
        pause(rung, seconds)

    driver.rooms.pause = take_away
    with client_of(server) as client:
        for _ in range(2):
            client.chat.completions.create(**ASK)

    assert len(server.requests) == 2
    assert waiting(process) == 0


def test_who_is_interrupted_while_waiting_leaves_nothing_behind(start: Start, server: ProviderServer) -> None:
    """Somebody presses a key."""
    process = start(limit("requests = 1", max_wait='"2m"'))

    def interrupt(_rung: SimpleQueue[None], _seconds: float) -> None:
        raise KeyboardInterrupt

    process.runtime.driver.rooms.pause = interrupt
    with client_of(server) as client:
        client.chat.completions.create(**ASK)
        with pytest.raises(KeyboardInterrupt):
            client.chat.completions.create(**ASK)

    assert waiting(process) == 0
    assert process.runtime.driver.flows == {}


def in_threads(server: ProviderServer, number: int) -> None:
    with client_of(server) as client, ThreadPoolExecutor(number) as pool:
        list(pool.map(lambda _: client.chat.completions.create(**ASK), range(number)))


def in_tasks(server: ProviderServer, number: int) -> None:
    async def main() -> None:
        async with async_client_of(server) as client:
            await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(number)))

    asyncio.run(main())


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("run", [in_threads, in_tasks])
def test_no_burst_of_a_hundred_calls_passes_a_limit_of_tokens_in_any_minute(
    store: str, run: Callable[[ProviderServer, int], None], start: Start, server: ProviderServer
) -> None:
    """Whatever is laid over the time, it has no more than 40,000 tokens in it; and no minute is wasted."""
    process = start(limit(f"tokens = {20 * TOKENS}", max_wait='"1h"'), store=store)
    clock = Clock(process.runtime.driver)

    run(server, 100)

    found = charges(process, clock)
    assert len(found) == len(server.requests) == 100
    for each in found:
        inside = [other for other in found if each.at - MINUTE < other.at <= each.at]
        assert sum(other.usage.input_tokens + other.usage.output_tokens for other in inside) <= 20 * TOKENS
    assert clock.passed_seconds <= 5 * 61
    left = balance(process, clock)
    assert (left.overrun_nano, left.refused, process.open_reservations) == (0, 0, 0)


def test_a_request_that_the_provider_rejects_counts_as_one(start: Start, server: ProviderServer) -> None:
    """It counted it too; a call that we refused was never sent, and counts nowhere."""
    process = start(limit("requests = 2", on_limit="refuse") + limit("tokens = 9000").replace('"l"', '"t"'))
    clock = Clock(process.runtime.driver)
    with client_of(server) as client:
        for _ in range(2):
            with pytest.raises(openai.BadRequestError):
                client.chat.completions.create(**ASK, extra_headers={"x-fault": "400"})
        with pytest.raises(RateLimitedError):
            client.chat.completions.create(**ASK)

    assert (balance(process, clock).settled_nano, balance(process, clock).reserved_nano) == (2, 0)
    assert balance(process, clock, "t").held_nano == 0


def test_money_per_hour_is_a_limit_too(start: Start, server: ProviderServer) -> None:
    """And a budget beside it refuses as a budget."""
    process = start(limit("cost = 0.002", window="1h", on_limit="refuse"))
    Clock(process.runtime.driver)
    with client_of(server) as client:
        for _ in range(2):
            client.chat.completions.create(**ASK)
        with pytest.raises(RateLimitedError, match=r"0\.0015 of 0\.002 USD per 1h are taken"):
            client.chat.completions.create(**ASK)


def test_a_tiers_users_have_a_quota_of_requests_a_day_each(start: Start, server: ProviderServer) -> None:
    """Of another tier, or another user, it is none."""
    start("[tiers.free]\nrequests_per_day = 1")
    with client_of(server) as client:
        for user, tier in (("u-1", "free"), ("u-2", "free"), ("u-1", "pro"), ("u-1", "pro")):
            with attribute(user=user, tier=tier):
                client.chat.completions.create(**ASK)
        with attribute(user="u-1", tier="free"), pytest.raises(RateLimitedError, match="free-requests-per-day"):
            client.chat.completions.create(**ASK)


def test_a_limit_with_marks_alerts_at_them(start: Start, server: ProviderServer) -> None:
    """At 80 % of a quota somebody may want to know."""
    process = start(limit("requests = 5", window="day", on_limit="refuse", marks="{ warning = 0.8 }"))
    with client_of(server) as client:
        for _ in range(5):
            client.chat.completions.create(**ASK)
        with pytest.raises(RateLimitedError):
            client.chat.completions.create(**ASK)
    process.runtime.writer.flush(5)

    assert process.runtime.tracing.meters.alerts == {("l", "warning"): 1}


def test_a_budget_that_is_used_up_is_not_waited_for(start: Start, server: ProviderServer) -> None:
    """Beside a limit with room."""
    process = start(limit("requests = 9") + '[[budget]]\nname = "b"\nlimit = 0.0005\nwindow = "day"\n')
    clock = Clock(process.runtime.driver)
    with client_of(server) as client, pytest.raises(BudgetExceededError):
        client.chat.completions.create(**ASK)

    assert clock.passed_seconds == 0
    assert balance(process, clock, "b").refused == 1
    assert process.runtime.tracing.meters.alerts == {("b", "exceeded"): 1}
