"""`attribute(...)`: who the calls inside are for, through functions, tasks and threads."""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from opentelemetry import context
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from otel_llmcost import attribute
from otel_llmcost.core.attribution import SAID
from otel_llmcost.telemetry import baggage
from otel_llmcost.telemetry.attribute import Said


def now():
    return dict(baggage.tags(context.get_current()))


def test_calls_inside_are_attributed_and_those_after_are_not():
    with attribute(agent="planner", user="u-7"):
        inside = now()

    assert (inside, now()) == ({"agent": "planner", "user": "u-7"}, {})


def test_the_inner_of_two_wins_and_the_outer_holds_again_after_it():
    with attribute(agent="planner", team="red"):
        with attribute(agent="writer"):
            inner = now()
        after = now()

    assert (inner, after) == ({"agent": "writer", "team": "red"}, {"agent": "planner", "team": "red"})


def test_none_leaves_what_was_said_around_it():
    with attribute(user="u-7"), attribute(user=None, agent="a"):
        assert now() == {"user": "u-7", "agent": "a"}


def test_an_error_inside_comes_out_and_ends_the_attribution():
    with pytest.raises(KeyError), attribute(agent="planner"):
        raise KeyError

    assert now() == {}


def test_one_object_can_be_entered_again_within_itself():
    said = attribute(agent="planner")

    with said, said:
        pass

    assert now() == {}


@pytest.mark.parametrize("name", ["agents", "model", "provider", "trace"])
def test_an_unknown_dimension_is_a_type_error_that_names_the_known_ones(name):
    with pytest.raises(TypeError, match=f"no dimension '{name}'; it knows agent, task, user"):
        attribute(**{name: "x"})


def test_every_dimension_can_be_said():
    assert tuple(Said.__annotations__) == SAID


@attribute(agent="decorated")
def decorated(number: int, *, more: int = 0) -> tuple[int, dict[str, str]]:
    """Add."""
    return number + more, now()


@attribute(agent="decorated")
async def decorated_coroutine(gate: Barrier | None = None) -> dict[str, str]:
    await asyncio.sleep(0)
    return now()


def test_a_decorated_function_is_attributed_and_stays_what_it_was():
    assert decorated(1, more=2) == (3, {"agent": "decorated"})
    assert (decorated.__name__, decorated.__doc__, list(inspect.signature(decorated).parameters)) == (
        "decorated",
        "Add.",
        ["number", "more"],
    )
    assert now() == {}


def test_a_decorated_method_knows_its_object():
    class Agent:
        name = "a-1"

        @attribute(team="red")
        def run(self):
            return self.name, now()

    assert Agent().run() == ("a-1", {"team": "red"})


async def test_a_decorated_coroutine_function_is_attributed_while_it_runs():
    assert inspect.iscoroutinefunction(decorated_coroutine)

    with attribute(user="u-7"):
        running = decorated_coroutine()
        assert now() == {"user": "u-7"}

    assert await running == {"agent": "decorated"}
    assert now() == {}


async def test_one_decorated_function_may_run_many_times_at_once():
    """Each run starts under another user; if runs shared a token, contexts would be mixed up at their ends."""

    async def one(user):
        with attribute(user=user):
            seen = await decorated_coroutine()
            return seen, now()

    users = [f"u-{number}" for number in range(20)]
    assert await asyncio.gather(*(one(user) for user in users)) == [
        ({"agent": "decorated", "user": user}, {"user": user}) for user in users
    ]


async def test_tasks_are_attributed_apart_from_one_another():
    async def inside(agent):
        with attribute(agent=agent):
            await asyncio.sleep(0)
            return now()

    with attribute(team="red"):
        seen = await asyncio.gather(*(asyncio.create_task(inside(agent)) for agent in "ab"))

    assert seen == [{"team": "red", "agent": "a"}, {"team": "red", "agent": "b"}]


def test_a_threads_runs_of_a_decorated_function_do_not_meet():
    gate = Barrier(4, timeout=10)

    @attribute(agent="decorated")
    def inside():
        gate.wait()
        return now()

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: (inside(), now()), range(4)))

    assert seen == [({"agent": "decorated"}, {})] * 4


def test_a_pool_of_threads_works_for_whoever_gave_it_the_work():
    ThreadingInstrumentor().instrument()
    try:
        with ThreadPoolExecutor(2) as pool:
            work = []
            for user in ("u-1", "u-2", "u-3"):
                with attribute(user=user):
                    work.append(pool.submit(now))
            work.append(pool.submit(now))
            assert [each.result() for each in work] == [{"user": "u-1"}, {"user": "u-2"}, {"user": "u-3"}, {}]
    finally:
        ThreadingInstrumentor().uninstrument()


def a_generator():
    yield


async def an_async_generator():
    yield


@pytest.mark.parametrize("function", [a_generator, an_async_generator])
def test_a_generator_cannot_be_decorated(function):
    """Its steps run in its caller's context, so the attribution would leak into that."""
    with pytest.raises(TypeError, match="use `with` inside"):
        attribute(agent="planner")(function)
