"""Forks, signals and sudden deaths: every charge there once, nothing held for ever, the limit over all."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest

from otel_llmcost.storage import open_store
from tests.e2e.conftest import ASK, COST_NANO, Scene, budget

HELD = "print('calling', flush=True); chat(extra_headers={'x-fault': 'slow=50'})"
STREAM = """
for number, _ in enumerate(chat(stream=True, extra_headers={'x-fault': 'gap=0.5'})):
    if number == 1:
        print("reading", flush=True)
"""


def test_forked_workers_share_the_limit_and_lose_nothing(scene: Scene) -> None:
    """Prefork as gunicorn does it: the parent imports the SDK and calls, then its children call."""
    scene.configure(budget(7.5))
    agent = """
import os
tries(1)
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        client = openai.OpenAI(max_retries=0)  # no two processes can talk over one connection
        tries(3)
        sys.exit(0)
    children.append(child)
print(*[os.waitpid(child, 0)[1] for child in children], flush=True)
tries(1)
"""
    done = scene.run(agent)

    assert "0 0 0 0" in done.stdout, done.stderr
    assert done.stdout.count("sent") == len(scene.server.requests) == len(scene.charges) == 7
    assert done.stdout.count("refused") == 7
    assert scene.open_reservations == 0


@pytest.mark.slow
def test_children_that_leave_by_os_exit_lose_only_what_they_did_not_write(scene: Scene) -> None:
    """gunicorn's and multiprocessing's workers run no exit handlers: what is not yet written is held, never gone."""
    scene.configure(budget(100))
    agent = """
import os
tries(1)
child = os.fork()
if child == 0:
    client = openai.OpenAI(max_retries=0)
    tries(3)
    os._exit(0)
os.waitpid(child, 0)
"""
    scene.run(agent)

    assert len(scene.charges) + scene.open_reservations == 4


@pytest.mark.parametrize(
    "method", ["fork", *(pytest.param(name, marks=pytest.mark.slow) for name in ("forkserver", "spawn"))]
)
def test_workers_of_multiprocessing_lose_nothing(method: str, scene: Scene) -> None:
    """They leave by `os._exit`, each right after its only call; there is no budget, so nothing else knows of it."""
    (scene.folder / "job.py").write_text(ASK + "def job():\n    tries(1)\n")
    agent = f"""
import multiprocessing, job
context = multiprocessing.get_context({method!r})
workers = [context.Process(target=job.job) for _ in range(2)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
"""
    done = scene.run_bare(agent, OTEL_LLMCOST_SUMMARY="1")

    assert done.stdout.split() == ["sent", "sent"], done.stderr
    assert [charge.cost_nano for charge in scene.charges] == [COST_NANO, COST_NANO]
    assert done.stderr.count("for 1 calls") == 2


@pytest.mark.parametrize("agent", [HELD, STREAM], ids=["call", "stream"])
def test_ctrl_c_leaves_nothing_held(agent: str, scene: Scene) -> None:
    """In the middle of a call and of a stream; the exit code is the one without us."""
    scene.configure(budget(100))

    assert cut_off(scene, agent, signal.SIGINT, is_ours=True) == cut_off(scene, agent, signal.SIGINT, is_ours=False)
    assert scene.open_reservations == 0
    (charge,) = scene.charges
    # A stream is dropped before the process ends, and estimated by what came, or is still held by the traceback then.
    assert charge.status in ({"suspected"} if agent == HELD else {"estimated", "suspected"})
    assert charge.cost_nano


@pytest.mark.slow
@pytest.mark.parametrize("agent", [HELD, STREAM], ids=["call", "stream"])
def test_sigterm_is_left_to_the_agent(agent: str, scene: Scene) -> None:
    """It runs no Python of anybody, and we put no handler in its way: the call stays held, and is suspected later."""
    scene.configure(budget(100))

    assert cut_off(scene, agent, signal.SIGTERM, is_ours=True) == cut_off(scene, agent, signal.SIGTERM, is_ours=False)
    assert scene.open_reservations == 1


def test_a_killed_agents_call_is_held_then_suspected(scene: Scene) -> None:
    """The ledger opens, what was written is there, and what may have been billed is not given back."""
    scene.configure(budget(100))

    assert cut_off(scene, "tries(2)\n" + HELD, signal.SIGKILL, is_ours=True, after=3) == -signal.SIGKILL

    store = open_store(f"sqlite:///{scene.ledger}")
    store.expire(datetime.now(UTC) + timedelta(minutes=16))
    store.close()
    assert scene.open_reservations == 0
    done = scene.run("tries(1)")
    assert done.stdout.split() == ["sent"], done.stderr
    balance = scene.balance()
    assert balance.settled_nano == COST_NANO * sum(charge.status == "confirmed" for charge in scene.charges)
    assert balance.suspected_nano > 0
    assert balance.reserved_nano == 0


def test_two_processes_hold_one_limit(scene: Scene) -> None:
    """Started at once, each with calls for more than the whole budget."""
    scene.configure(budget(3.5))

    agents = [scene.start("tries(6)") for _ in range(2)]
    said = "".join(agent.communicate(timeout=60)[0] for agent in agents)

    assert said.count("sent") == len(scene.server.requests) == len(scene.charges) == 3
    assert said.count("refused") == 9


def cut_off(scene: Scene, agent: str, number: signal.Signals, *, is_ours: bool, after: int = 1) -> int:
    """Send a signal to an agent in the middle of its call; return how it ended."""
    environ = {} if is_ours else {"OTEL_LLMCOST_DISABLED": "true"}
    process = scene.start(agent, **environ)
    assert process.stdout is not None
    line = ""
    while line not in ("calling\n", "reading\n"):
        line = process.stdout.readline()
        assert line
    scene.server.wait_for(after)
    process.send_signal(number)
    process.communicate(timeout=30)
    scene.server.clear()
    return process.returncode
