"""Rate limits over processes: one limit for all of them, and nobody who waits keeps a process alive."""

from __future__ import annotations

from datetime import timedelta

from tests.e2e.conftest import Scene

SECOND = timedelta(seconds=1)


def test_processes_that_wait_keep_one_limit_together(scene: Scene) -> None:
    """Wherever a second is laid over what three processes sent, there are no more than four calls in it."""
    scene.configure('[[limit]]\nname = "l"\nrequests = 4\nwindow = "1s"\non_limit = "wait"\nmax_wait = "5m"\n')
    agent = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda _: tries(1), range(4)))
"""
    agents = [scene.start(agent) for _ in range(3)]

    printed = "".join(agent.communicate(timeout=120)[0] for agent in agents)

    assert printed.count("sent") == len(scene.server.requests) == len(scene.charges) == 12
    for each in scene.charges:
        assert sum(each.at - SECOND < other.at <= each.at for other in scene.charges) <= 4
    assert scene.open_reservations == 0


def test_who_waits_keeps_no_process_from_forking_or_ending(scene: Scene) -> None:
    """A thread waits for up to an hour: children do not inherit that, and the program ends when it ends."""
    scene.configure(
        '[[limit]]\nname = "l"\nrequests = 1\nwindow = "1h"\nper = ["user"]\non_limit = "wait"\nmax_wait = "2h"\n'
    )
    agent = """
import os, threading
from otel_llmcost import attribute
from otel_llmcost.instrumentation import state
def as_user(name):
    with attribute(user=name):
        tries(1)
as_user("u-1")
rooms, is_waiting = state.runtime.driver.rooms, threading.Event()
pause = rooms.pause
def told(rung, seconds):
    is_waiting.set()
    pause(rung, seconds)
rooms.pause = told
threading.Thread(target=as_user, args=["u-1"], daemon=True).start()
is_waiting.wait()
child = os.fork()
if child == 0:
    client = openai.OpenAI(max_retries=0)  # no two processes can talk over one connection
    assert not rooms.queues
    as_user("u-2")
    sys.exit(0)
print("child", os.waitpid(child, 0)[1], flush=True)
"""
    done = scene.run(agent)

    assert done.stdout.split("\n")[:3] == ["sent", "sent", "child 0"], done.stdout + done.stderr
    assert len(scene.charges) == 2
    assert scene.open_reservations == 0
