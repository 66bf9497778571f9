"""An agent of the storms: so many tasks or threads that ask a model again and again, until its standard input ends it.

Every call names itself in its text and as its task, so that it is found in the provider's log, in the ledger and on
balances. What became of it as the agent saw it goes to a file, which outlives the agent.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import otel_llmcost
from otel_llmcost import RefusedError, attribute
from otel_llmcost.instrumentation import state

USERS = {"ada": "red", "bo": "red", "cy": "red", "di": "blue", "ed": "blue", "flo": "green"}
"""User → team."""
KINDS = ("plain", "plain", "plain", "stream", "stream", "closed", "cancelled")
_FLUSH_SECONDS = 60.0


class Agent:
    """What all tasks of the process share."""

    def __init__(self, name: str, seed: str, fates: IO[str], *, pause_seconds: float) -> None:
        self.is_over = threading.Event()
        self._name = name
        self._chance = random.Random(seed)
        self._fates = fates
        self._lock = threading.Lock()
        self._count = 0
        self.pause_seconds = pause_seconds

    def next_call(self) -> tuple[str, str, dict[str, object]]:
        """Make up a call: its name, who it is for, its request."""
        with self._lock:
            self._count += 1
            kind = self._chance.choice(KINDS)
            words, most = self._chance.randint(2, 120), self._chance.randint(16, 200)
            user = self._chance.choices(list(USERS), weights=[8, 4, 2, 4, 1, 2])[0]
        name = f"{self._name}.{self._count}.{kind}"
        request = {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": f"{name}: answer in {words} words."}],
            "max_completion_tokens": most,
        }
        return name, user, request

    def tell(self, name: str, fate: str) -> None:
        with self._lock:
            self._fates.write(f"{name} {fate}\n")

    def some_time(self) -> float:
        with self._lock:
            return self._chance.random() * 0.1


async def work(agent: Agent, client: object) -> None:
    """Ask, as one task of an event loop."""
    while not agent.is_over.is_set():
        name, user, request = agent.next_call()
        fate = "answered"
        with attribute(user=user, team=USERS[user], task=name):
            try:
                await _ask(agent, client, name, request)
            except RefusedError as error:
                fate = f"refused {error.name}"
            except TimeoutError:
                fate = "cancelled"
            except Exception as error:  # noqa: BLE001 -- told, and judged by the proof
                fate = f"failed {error!r}"
        agent.tell(name, fate)
        await asyncio.sleep(agent.pause_seconds)


async def _ask(agent: Agent, client: object, name: str, request: dict[str, object]) -> None:
    kind = name.rpartition(".")[2]
    if kind in {"stream", "closed"}:
        async with await client.chat.completions.create(**request, stream=True) as chunks:
            async for chunk in chunks:
                if kind == "closed" and chunk.choices and chunk.choices[0].delta.content:
                    return
    elif kind == "cancelled":
        async with asyncio.timeout(agent.some_time()):
            await client.chat.completions.create(**request)
    else:
        await client.chat.completions.create(**request)


def work_in_thread(agent: Agent, client: object) -> None:
    """Ask, as one thread."""
    while not agent.is_over.is_set():
        name, user, request = agent.next_call()
        fate, kind = "answered", name.rpartition(".")[2]
        with attribute(user=user, team=USERS[user], task=name):
            try:
                if kind in {"stream", "closed"}:
                    with client.chat.completions.create(**request, stream=True) as chunks:
                        for chunk in chunks:
                            if kind == "closed" and chunk.choices and chunk.choices[0].delta.content:
                                break
                else:
                    client.chat.completions.create(**request)
            except RefusedError as error:
                fate = f"refused {error.name}"
            except Exception as error:  # noqa: BLE001 -- told, and judged by the proof
                fate = f"failed {error!r}"
        agent.tell(name, fate)
        time.sleep(agent.pause_seconds)


async def work_in_tasks(agent: Agent, client: object, count: int) -> None:
    async with client:
        await asyncio.gather(*(work(agent, client) for _ in range(count)))


def counted_nano(reader: InMemoryMetricReader) -> int:
    """Add up what the metrics say was spent, less what was taken back."""
    data, signs = reader.get_metrics_data(), {"llmcost.cost": 1, "llmcost.cost.reversed": -1}
    return sum(
        signs.get(metric.name, 0) * round(point.value * 1_000_000_000)
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name in signs
        for point in metric.data.data_points
    )


def main() -> None:
    name, seed, tasks, threads, fates = sys.argv[1:]
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    otel_llmcost.instrument()
    import openai

    with open(fates, "a", buffering=1, encoding="utf-8") as file:  # noqa: PTH123 -- a line is there once it is written
        agent = Agent(name, seed, file, pause_seconds=float(os.environ.get("PROVE_PAUSE", "0.01")))
        threading.Thread(target=lambda: (sys.stdin.read(), agent.is_over.set()), daemon=True).start()
        with ThreadPoolExecutor(int(threads) + 1) as pool:
            clients = openai.OpenAI(max_retries=0, timeout=30), openai.AsyncOpenAI(max_retries=0, timeout=30)
            begun = [pool.submit(work_in_thread, agent, clients[0]) for _ in range(int(threads))]
            begun.append(pool.submit(asyncio.run, work_in_tasks(agent, clients[1], int(tasks))))
            for each in begun:
                each.result()
    writer = state.runtime.writer
    is_written = writer.flush(_FLUSH_SECONDS)
    print(json.dumps({"is_written": is_written, "lost": writer.lost, "cost_nano": counted_nano(reader)}), flush=True)


if __name__ == "__main__":
    main()
