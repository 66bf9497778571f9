"""Processes and pools: the work is for whoever gave it, not for whoever the worker was started for."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import ASK, Scene

JOB = """
from opentelemetry import context
from otel_llmcost.telemetry import baggage
def who(*_, queue=None):
    tags = dict(baggage.tags(context.get_current()))
    return tags if queue is None else queue.put(tags)
"""

AGENT = """
import asyncio, json, multiprocessing, multiprocessing.pool
from concurrent.futures import ProcessPoolExecutor
from otel_llmcost import attribute
from job import who

methods = multiprocessing.get_context(METHOD)

def through_pool(pool):
    return [
        pool.apply(who), pool.apply_async(who).get(), pool.apply_async(func=who).get(),
        *pool.map(who, [0]), *pool.map_async(who, [0]).get(), *pool.starmap(who, [(0,)]),
        *pool.starmap_async(who, [(0,)]).get(), *pool.imap(who, [0]), *pool.imap_unordered(who, [0, 1], 2),
    ]

def through_executor(executor):
    async def run():
        return await asyncio.get_running_loop().run_in_executor(executor, who)
    return [executor.submit(who).result(), *executor.map(who, [0]), asyncio.run(run())]

def through_process():
    queue = methods.SimpleQueue()
    worker = methods.Process(target=who, kwargs={"queue": queue})
    worker.start()
    worker.join()
    return [queue.get()]

with attribute(user="starter", team="red"):
    pool, threads = methods.Pool(1), multiprocessing.pool.ThreadPool(1)
    executor = ProcessPoolExecutor(1, mp_context=methods)
    executor.submit(who).result()

def all_of_them():
    return {
        "pool": through_pool(pool), "threads": through_pool(threads),
        "executor": through_executor(executor), "process": through_process(),
    }

with attribute(user="u-7"):
    inside = all_of_them()
print(json.dumps([inside, all_of_them()]))
pool.terminate(), threads.terminate(), executor.shutdown()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", pytest.param("forkserver", marks=pytest.mark.slow)])
def test_work_in_other_processes_and_pools_is_for_whoever_gave_it(method: str, scene: Scene) -> None:
    """Each pool was started for somebody else; what nobody gave for anybody is for nobody."""
    (scene.folder / "job.py").write_text(JOB)

    done = scene.run_bare(f"METHOD = {method!r}\n{AGENT}")

    assert done.returncode == 0, done.stderr
    for seen, expected in zip(json.loads(done.stdout), [{"user": "u-7"}, {}], strict=True):
        assert {hop: [who for who in whos if who != expected] for hop, whos in seen.items()} == {
            "pool": [],
            "threads": [],
            "executor": [],
            "process": [],
        }


def test_the_ledger_knows_who_the_calls_of_a_pools_workers_were_for(scene: Scene) -> None:
    """With real calls, from interpreters that were started afresh."""
    (scene.folder / "job.py").write_text(ASK + "def job(_):\n    tries(1)\n")
    agent = """
import multiprocessing, job
from otel_llmcost import attribute
with multiprocessing.get_context("spawn").Pool(2) as pool:
    for user in ("u-1", "u-2"):
        with attribute(user=user, agent="pooled"):
            pool.map(job.job, range(2), chunksize=1)
    pool.close()
    pool.join()
"""
    done = scene.run_bare(agent)

    assert done.stdout.count("sent") == 4, done.stderr
    assert sorted((charge.tags["user"], charge.tags["agent"]) for charge in scene.charges) == [
        ("u-1", "pooled"), ("u-1", "pooled"), ("u-2", "pooled"), ("u-2", "pooled"),
    ]  # fmt: skip


def test_nothing_of_a_pools_work_is_touched_where_nobody_is_named(scene: Scene) -> None:
    """Not even what is pickled: a program that never names anybody runs as it would without us."""
    agent = """
from concurrent.futures import ProcessPoolExecutor
from otel_llmcost.instrumentation import handover
def fail(*_):
    raise AssertionError("carried")
handover.Carried = fail
with ProcessPoolExecutor(1) as executor:
    print(executor.submit(len, "four").result(), *executor.map(len, ["one"]))
"""
    done = scene.run_bare(agent)

    assert done.stdout.split() == ["4", "3"], done.stderr
