"""Work inside a framework's method is attributed to the agent at work there, and nothing else is."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context

from otel_llmcost import attribute
from otel_llmcost.adapters.frameworks import Frame, Hook
from otel_llmcost.core.attribution import Tags
from otel_llmcost.instrumentation import contain, frameworks, state
from otel_llmcost.telemetry import baggage, frames
from tests.instrumentation.conftest import Start

MODULE = "a_framework"


def now() -> Tags:
    """Say who a call made here would be for."""
    return frames.tags(otel_context.get_current())


class Agent:
    """As frameworks have them: an agent of theirs runs in each of these ways."""

    def __init__(self, *name: str | Frame, inside: Callable[[], Any] = now) -> None:
        self.frame = name[0] if name and isinstance(name[0], Frame) else Frame(agent=name[0] if name else None)
        self.inside = inside

    def call(self) -> Any:
        return self.inside()

    async def coroutine(self) -> Any:
        await asyncio.sleep(0)
        return self.inside()

    def generator(self) -> Generator[Any, Any, Any]:
        try:
            sent = yield self.inside()
            yield sent
            yield self.inside()
        except KeyError as error:
            yield repr(error)
        finally:
            self.left = self.inside()
        return "returned"

    async def async_generator(self) -> AsyncGenerator[Any, Any]:
        try:
            sent = yield self.inside()
            yield sent
            await asyncio.sleep(0)
            yield self.inside()
        except KeyError as error:
            yield repr(error)
        finally:
            self.left = self.inside()

    @asynccontextmanager
    async def async_context(self) -> AsyncGenerator[Any]:
        yield self.inside()


def frame_of(agent: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _outer: Frame | None) -> Frame | None:
    return agent.frame


HOOKS = tuple(
    Hook(framework="a-framework", module=MODULE, name=f"Agent.{kind}", kind=kind, frame=frame_of)
    for kind in ("call", "coroutine", "generator", "async_generator", "async_context")
)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A framework with a class of its own, patched as if it had just been imported."""
    monkeypatch.setattr(contain, "reraise", True)
    monkeypatch.setattr(state, "is_installed", True)
    yield framework()
    frameworks.remove()
    assert now() == {}


def framework() -> ModuleType:
    made = ModuleType(MODULE)
    made.Agent = type("Agent", (Agent,), dict(vars(Agent)))
    frameworks.patch(HOOKS, made)
    return made


async def test_every_kind_of_method_is_its_agents(module: ModuleType) -> None:
    """And whoever called it is on his own again afterwards."""
    agent = module.Agent("scout")

    seen = [agent.call(), await agent.coroutine(), next(agent.generator())]
    async for first in agent.async_generator():
        seen.append(first)
        break
    async with agent.async_context() as inside:
        seen += [inside, now()]

    assert seen == [{"agent": "scout"}] * 6
    assert now() == {}


def test_a_generators_consumer_never_stands_in_its_context(module: ModuleType) -> None:
    """Values go in, errors go in, the end comes out, as without us; the frame is there again in each step."""
    agent = module.Agent("scout")
    steps = agent.generator()

    assert inspect.isgenerator(steps)
    assert next(steps) == {"agent": "scout"}
    assert now() == {}
    assert steps.send("sent") == "sent"
    assert next(steps) == {"agent": "scout"}
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert (end.value.value, agent.left) == ("returned", {"agent": "scout"})

    thrown = agent.generator()
    next(thrown)
    assert thrown.throw(KeyError("k")) == "KeyError('k')"
    thrown.close()

    dropped = agent.generator()
    next(dropped)
    agent.left = None
    del dropped
    assert agent.left == {"agent": "scout"}


async def test_an_async_generators_consumer_never_does_either(module: ModuleType) -> None:
    """The same, step by step."""
    agent = module.Agent("scout")
    steps = agent.async_generator()

    assert inspect.isasyncgen(steps)
    assert await anext(steps) == {"agent": "scout"}
    assert now() == {}
    assert await steps.asend("sent") == "sent"
    assert await anext(steps) == {"agent": "scout"}
    assert [each async for each in steps] == []

    thrown = agent.async_generator()
    await anext(thrown)
    assert await thrown.athrow(KeyError("k")) == "KeyError('k')"
    agent.left = None
    await thrown.aclose()
    assert agent.left == {"agent": "scout"}


def test_what_a_step_leaves_attached_is_there_in_the_next(module: ModuleType) -> None:
    """Frameworks open spans inside their generators; the steps after stand in them, the consumer does not."""
    key = otel_context.create_key("theirs")

    class Tracing(module.Agent):
        def generator(self) -> Generator[Any, Any, Any]:
            return super().generator()

    def inside() -> Any:
        seen = otel_context.get_value(key)
        otel_context.attach(otel_context.set_value(key, "open"))
        return seen

    steps = Tracing("scout", inside=inside).generator()

    assert next(steps) is None
    assert otel_context.get_value(key) is None
    steps.send(None)
    assert next(steps) == "open"


def test_a_generator_may_be_driven_by_several_threads(module: ModuleType) -> None:
    """As servers do that send an answer piece by piece from a pool of threads."""
    steps = module.Agent("scout").generator()
    seen: list[Any] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: seen.append((next(steps), now())))
        thread.start()
        thread.join()

    assert seen == [({"agent": "scout"}, {}), (None, {}), ({"agent": "scout"}, {})]


async def test_a_block_left_in_another_task_leaves_nothing_behind(module: ModuleType) -> None:
    """Servers open and close what an agent runs in by different tasks."""
    block = module.Agent("scout").async_context()
    await asyncio.create_task(block.__aenter__())
    await asyncio.create_task(block.__aexit__(None, None, None))

    assert now() == {}


def test_the_innermost_agent_and_the_outermost_of_the_rest_win(module: ModuleType) -> None:
    """What the program has said of users and sessions stands; a name it says inside is more inner still."""
    inner = module.Agent(Frame(agent="scout", session="inner", user="frame"))
    outer = module.Agent(Frame(agent="chief", session="outer", workflow="trip"), inside=inner.call)

    def deeper() -> Tags:
        with attribute(agent="me"):
            return now()

    with attribute(agent="said", user="ada"):
        assert outer.call() == {"agent": "scout", "session": "outer", "workflow": "trip", "user": "ada"}
        assert module.Agent("scout", inside=deeper).call()["agent"] == "me"


def test_a_step_is_an_agent_only_outside_of_a_whole_one(module: ModuleType) -> None:
    """The steps of one agent's loop are no agents."""

    def nested(*frames: Frame) -> Tags:
        inside: Callable[[], Any] = now
        for frame in reversed(frames):
            inside = module.Agent(frame, inside=inside).call
        return inside()

    step, loop, team = Frame(agent="step", is_part=True), Frame(agent="scout", is_whole=True), Frame(workflow="trip")

    assert nested(step)["agent"] == "step"
    assert nested(loop, step)["agent"] == "scout"
    assert nested(loop, step, step)["agent"] == "scout"
    assert nested(loop, team, step)["agent"] == "step"


def test_a_step_gives_way_to_an_agent_that_the_program_named(module: ModuleType) -> None:
    """A budget for that agent must go on to hold when a framework's steps get names."""
    step = Frame(agent="step", is_part=True)

    def deeper() -> Tags:
        with attribute(agent="me"):
            return module.Agent(step).call()

    with attribute(agent="said"):
        assert module.Agent(step).call()["agent"] == "said"
        assert module.Agent("scout", inside=module.Agent(step).call).call()["agent"] == "step"
    assert module.Agent(step, inside=deeper).call()["agent"] == "me"


@pytest.mark.parametrize("weak", [{"is_part": True}, {"is_default": True}], ids=str)
def test_weak_names_give_way_to_the_processs_own(weak: dict[str, bool], start: Start) -> None:
    """Whoever deployed it has named what runs there; an agent's name in the program says more still."""
    start(OTEL_LLMCOST_AGENT="council")
    module = framework()

    assert module.Agent(Frame(agent="weak", **weak)).call() == {}
    assert module.Agent("scout").call() == {"agent": "scout"}


def test_a_default_name_gives_way_to_any_other(module: ModuleType) -> None:
    """Better the name of the one outside than that of a class."""
    unnamed = module.Agent(Frame(agent="CodeAgent", is_default=True))

    assert unnamed.call() == {"agent": "CodeAgent"}
    assert module.Agent("scout", inside=unnamed.call).call() == {"agent": "scout"}


def test_nobody_in_particular_is_nobody(module: ModuleType) -> None:
    """An agent without a name, and a frame that is none, leave all as it was."""
    assert module.Agent().call() == {}
    nobody = module.Agent()
    nobody.frame = None
    with attribute(agent="said"):
        assert nobody.call() == {"agent": "said"}


def test_a_long_name_is_cut(module: ModuleType) -> None:
    """Headers that it may travel in have a limit for all of it."""
    assert module.Agent("x" * 1000, inside=otel_baggage.get_all).call() == {
        "gen_ai.agent.name": "x" * baggage.MOST_CHARACTERS
    }


def test_others_baggage_is_kept(module: ModuleType) -> None:
    """We add to it what is ours."""
    token = otel_context.attach(otel_baggage.set_baggage("theirs", "kept"))

    assert module.Agent("scout", inside=otel_baggage.get_all).call() == {
        "theirs": "kept",
        "gen_ai.agent.name": "scout",
    }
    otel_context.detach(token)


def test_a_context_that_others_kept_from_before_hides_no_agent(module: ModuleType) -> None:
    """Instrumentors of frameworks go back to the context of the step around, or of the run."""
    kept: list[otel_context.Context] = []

    def keep(inside: Callable[[], Any]) -> Callable[[], Any]:
        def kept_here() -> Any:
            kept.append(otel_context.get_current())
            return inside()

        return kept_here

    def back_in(ctx: otel_context.Context, inside: Callable[[], Any] = now) -> Any:
        token = otel_context.attach(ctx)
        try:
            return inside()
        finally:
            otel_context.detach(token)

    def named_within() -> Any:
        with attribute(agent="me", user="lin"):
            return now()

    unnamed = module.Agent(Frame(user="frame"))
    scout = module.Agent(
        "scout", inside=lambda: [back_in(ctx, inside) for ctx in kept for inside in (now, unnamed.call)]
    )
    crew = module.Agent(Frame(agent="chief", session="s-1"), inside=keep(scout.call))
    with attribute(agent="said", user="ada"):
        seen = keep(crew.call)()
        named = module.Agent("scout", inside=lambda: back_in(kept[0], named_within)).call()

    assert seen == [{"agent": "scout", "session": "s-1", "user": "ada"}] * 4
    assert named == {"agent": "me", "user": "lin"}


def test_a_context_that_others_left_behind_names_nobody(module: ModuleType) -> None:
    """A stream's consumer is told by no agent's context that he is that agent; afterwards all is as it was."""
    left: list[otel_context.Context] = []

    def leave() -> None:
        left.append(otel_context.get_current())

    def between_two_steps() -> Any:
        steps = module.Agent(Frame(agent="scout", session="s-1"), inside=leave).generator()
        next(steps)
        token = otel_context.attach(left[-1])
        try:
            return now(), {**baggage.tags(otel_context.get_current())}
        finally:
            otel_context.detach(token)
            steps.close()

    assert between_two_steps() == ({}, {"agent": "scout", "session": "s-1"})
    assert module.Agent("chief", inside=between_two_steps).call()[0] == {"agent": "chief"}
    with attribute(user="ada"):
        assert between_two_steps()[0] == {"user": "ada"}


def test_a_context_left_behind_by_a_run_that_is_over_names_nobody(module: ModuleType) -> None:
    """Nor does it make a graph one of those inside another. A pool's thread is handed the contexts of others."""
    left: list[otel_context.Context] = []
    scout = module.Agent(Frame(agent="scout", is_whole=True), inside=lambda: left.append(otel_context.get_current()))
    step = module.Agent(Frame(agent="step", is_part=True))
    scout.call()

    token = otel_context.attach(left[0])
    assert now() == {}
    assert step.call() == {"agent": "step"}
    otel_context.detach(token)

    running = scout.generator()
    next(running)
    token = otel_context.attach(left[-1])
    thread_pool = contextvars.copy_context()
    thread_pool.run(frames.place.set, frames.OUTSIDE)
    assert thread_pool.run(now) == {"agent": "scout"}
    assert thread_pool.run(step.call) == {"agent": "scout"}
    otel_context.detach(token)


def test_a_generator_that_is_dropped_inside_another_agent_changes_nothing_there(module: ModuleType) -> None:
    """It ends wherever the interpreter comes to notice that nobody holds it."""
    dropped = [module.Agent("scout").generator()]
    next(dropped[0])

    def drop() -> Any:
        dropped.clear()
        return now()

    assert module.Agent("chief", inside=drop).call() == {"agent": "chief"}


def test_a_thread_has_what_its_context_says(module: ModuleType) -> None:
    """What instruments threads hands on the context and nothing else."""
    seen: list[Any] = []

    def begin_thread() -> None:
        def work(ctx: otel_context.Context) -> None:
            otel_context.attach(ctx)
            seen.append(now())
            seen.append(module.Agent(Frame(agent="step", is_part=True)).call())
            seen.append(now())

        thread = threading.Thread(target=work, args=(otel_context.get_current(),))
        thread.start()
        thread.join()

    module.Agent(Frame(agent="scout", session="s-1", is_whole=True), inside=begin_thread).call()

    assert seen == [{"agent": "scout", "session": "s-1"}] * 3


def test_a_fault_of_ours_leaves_the_agent_at_work(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unnamed, and with a line in the log."""
    monkeypatch.setattr(contain, "reraise", False)
    agent = module.Agent("scout")
    del agent.frame

    assert agent.call() == {}
    assert contain.seen == {"learn who works in a-framework: AttributeError": 1}
    contain.seen.clear()


def test_the_agents_own_errors_pass_unmodified(module: ModuleType) -> None:
    """From whatever kind of method."""

    def fail() -> None:
        raise LookupError("theirs")

    agent = module.Agent("scout", inside=fail)

    with pytest.raises(LookupError, match="theirs"):
        agent.call()
    with pytest.raises(LookupError, match="theirs"):
        asyncio.run(agent.coroutine())
    with pytest.raises(LookupError, match="theirs"):
        next(agent.generator())


def test_taken_out_we_are_not_there(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where somebody has kept the wrapped method."""
    kept = module.Agent("scout").call
    monkeypatch.setattr(state, "is_installed", False)
    assert kept() == {}

    monkeypatch.setattr(state, "is_installed", True)
    frameworks.remove()
    assert module.Agent("scout").call() == {}
    assert not hasattr(module.Agent.call, "__wrapped__")


def test_a_function_imported_by_name_is_wrapped_once(module: ModuleType) -> None:
    """The module that defines it was patched before; so is a class that inherits from a patched one."""
    before = module.Agent.call
    frameworks.patch(HOOKS, module)

    assert module.Agent.call.__wrapped__ is before.__wrapped__


def test_a_version_without_the_method_is_told(module: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """Unless we know of such versions."""
    hook = HOOKS[0]
    gone, known = (
        Hook(framework="a-framework", module=MODULE, name="Gone.call", kind="call", frame=hook.frame, is_optional=known)
        for known in (False, True)
    )
    with caplog.at_level(logging.WARNING):
        frameworks.patch((known,), module)
        assert caplog.records == []
        frameworks.patch((gone,), module)

    assert "this a-framework has no Gone.call" in caplog.text


@pytest.mark.parametrize("rows", frameworks.FRAMEWORKS)
def test_the_modules_waited_for_are_those_of_the_rows(rows: str) -> None:
    """They are written twice, because loading the rows is not for the start."""
    hooks: tuple[Hook, ...] = import_module(f"otel_llmcost.adapters.{rows}").HOOKS

    assert {hook.module for hook in hooks} == set(frameworks.FRAMEWORKS[rows])


def test_a_framework_is_patched_when_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a program that was started under the launcher; what is imported later is patched then."""
    rows = ModuleType("otel_llmcost.adapters.framework_a")
    rows.HOOKS = (
        Hook(framework="a-framework", module="its.other.module", name="f", kind="call", frame=frame_of),
        *HOOKS,
    )
    made = ModuleType(MODULE)
    made.Agent = type("Agent", (Agent,), dict(vars(Agent)))
    monkeypatch.setitem(sys.modules, rows.__name__, rows)
    monkeypatch.setitem(sys.modules, MODULE, made)
    monkeypatch.setitem(frameworks.FRAMEWORKS, "framework_a", (MODULE,))
    monkeypatch.setattr(contain, "reraise", True)

    frameworks.wait()
    assert not hasattr(made.Agent.call, "__wrapped__")
    monkeypatch.setattr(state, "is_installed", True)
    frameworks.wait()

    assert made.Agent("scout").call() == {"agent": "scout"}
    frameworks.remove()
