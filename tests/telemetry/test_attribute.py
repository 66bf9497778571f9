"""`attribute(...)`: who the calls inside are for, through functions, tasks and threads."""

import asyncio
import contextvars
import inspect
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
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


@attribute(agent="decorated")
def steps(log=None):
    """Give and take."""
    taken = yield now()
    try:
        yield taken, now()
    except KeyError:
        yield "caught", now()
    finally:
        if log is not None:
            log.append(now())
    return "end"


def test_a_decorated_generator_is_attributed_in_its_steps_and_its_reader_is_not():
    running = steps()

    assert (next(running), now()) == ({"agent": "decorated"}, {})
    assert (running.send("given"), now()) == (("given", {"agent": "decorated"}), {})
    assert (running.throw(KeyError()), now()) == (("caught", {"agent": "decorated"}), {})
    with pytest.raises(StopIteration, match="end"):
        next(running)
    assert inspect.isgeneratorfunction(steps)
    assert steps.__doc__ == "Give and take."


def test_a_decorated_generator_ends_as_it_would_without_us():
    log = []
    running = steps(log)
    next(running)
    next(running)

    running.close()

    assert (log, now()) == ([{"agent": "decorated"}], {})
    with pytest.raises(ValueError, match="not for it"):
        steps(log).throw(ValueError("not for it"))


@attribute(agent="decorated")
async def async_steps(log):
    taken = yield now()
    try:
        await asyncio.sleep(0)
        yield taken, now()
    except KeyError:
        yield "caught", now()
    finally:
        log.append(now())


async def test_a_decorated_async_generator_is_attributed_in_its_steps_and_its_reader_is_not():
    log = []
    running = async_steps(log)

    assert (await anext(running), now()) == ({"agent": "decorated"}, {})
    assert (await running.asend("given"), now()) == (("given", {"agent": "decorated"}), {})
    assert (await running.athrow(KeyError()), now()) == (("caught", {"agent": "decorated"}), {})
    assert [each async for each in running] == []
    assert log == [{"agent": "decorated"}]
    assert inspect.isasyncgenfunction(async_steps)


async def test_a_decorated_async_generator_is_closed_in_its_attribution():
    log = []
    running = async_steps(log)
    await anext(running)
    await anext(running)

    await running.aclose()

    assert (log, now()) == ([{"agent": "decorated"}], {})


async def test_what_a_decorated_generator_leaves_open_between_its_steps_stays_its_own():
    """A span, for one; what it goes back to at its end is its own context, not that of who reads it."""

    @attribute(agent="decorated")
    def with_more():
        with attribute(task="t-1"):
            yield now()
            yield now()
        yield now()

    with attribute(user="u-7"):
        running = with_more()
        first = next(running), now()
    with attribute(user="u-8"):
        others = [(each, now()) for each in running]

    assert first == ({"agent": "decorated", "user": "u-7", "task": "t-1"}, {"user": "u-7"})
    assert others == [
        ({"agent": "decorated", "user": "u-7", "task": "t-1"}, {"user": "u-8"}),
        ({"agent": "decorated", "user": "u-7"}, {"user": "u-8"}),
    ]
    assert now() == {}


def inside_with(said):
    with said:
        while (yield now()):
            pass


@pytest.mark.parametrize("ends", list(permutations(range(3))))
def test_generators_that_take_turns_leave_nothing_behind(ends):
    """Each holds a `with` open while the others go on; contexts are not those of generators."""
    said = [{"agent": "a", "team": "blue"}, {"user": "u-7"}, {"agent": "b"}]
    with attribute(team="red"):
        running = [inside_with(attribute(**each)) for each in said]
        for each in running:
            next(each)
        for number in ends:
            running[number].close()
            said[number] = {}
            assert now() == {"team": "red"} | said[0] | said[1] | said[2]
    assert now() == {}


def test_a_generator_that_nobody_reads_to_its_end_keeps_nobody_elses_attribution():
    with attribute(user="u-7"):
        running = inside_with(attribute(agent="a"))
        next(running)

    assert now() == {"agent": "a"}
    running.close()
    assert now() == {}


def test_one_object_entered_by_many_threads_at_once_is_left_by_each_on_its_own():
    """Were what to go back to kept in the object, one thread would take it from another."""
    said, gate = attribute(agent="shared"), Barrier(8, timeout=10)

    def inside(number):
        with attribute(user=f"u-{number}"):
            gate.wait()
            with said:
                gate.wait()
                seen = now()
            gate.wait()
            return seen, now()

    with ThreadPoolExecutor(8) as pool:
        users = [f"u-{number}" for number in range(8)]
        assert list(pool.map(inside, range(8))) == [({"agent": "shared", "user": u}, {"user": u}) for u in users]


async def test_one_object_entered_by_many_tasks_at_once_is_left_by_each_on_its_own():
    said = attribute(agent="shared")

    async def inside(user):
        with attribute(user=user):
            with said:
                await asyncio.sleep(0)
                seen = now()
            await asyncio.sleep(0)
            return seen, now()

    users = [f"u-{number}" for number in range(8)]
    assert await asyncio.gather(*map(inside, users)) == [({"agent": "shared", "user": u}, {"user": u}) for u in users]


async def test_a_task_keeps_the_attribution_it_began_in():
    gate = asyncio.Event()

    async def inside():
        await gate.wait()
        with attribute(user="u-7"):
            seen = now()
        return seen, now()

    with attribute(agent="planner"):
        task = asyncio.create_task(inside())
        await asyncio.sleep(0)
    gate.set()

    assert await task == ({"agent": "planner", "user": "u-7"}, {"agent": "planner"})
    assert now() == {}


def test_what_is_left_in_another_context_changes_nothing_there(caplog):
    """As when an event loop closes an asynchronous generator in a task of its own."""
    said = attribute(agent="planner")
    contextvars.copy_context().run(said.__enter__)

    with attribute(user="u-7"):
        said.__exit__(None, None, None)
        assert now() == {"user": "u-7"}

    assert (now(), caplog.records) == ({}, [])


def test_tasks_that_start_one_another_for_ever_do_not_keep_their_past():
    """Each is born inside of what the one before had entered."""
    born = [contextvars.copy_context()]

    def step():
        with attribute(agent="ticker"):
            born.append(contextvars.copy_context())

    for _ in range(50):
        born[-1].run(step)

    depth, ctx = 0, born[-1].run(context.get_current)
    while ctx:
        entry = next((value for key, value in ctx.items() if key.startswith("llmcost-attribute")), None)
        depth, ctx = depth + 1, getattr(entry, "outer", None)
    assert depth <= 3
