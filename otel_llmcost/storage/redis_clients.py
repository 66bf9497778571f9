"""Sends calls to Redis, from threads and on event loops, within a deadline and no more at once than allowed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from otel_llmcost.errors import StoreError
from otel_llmcost.storage.redis_address import Address
from otel_llmcost.storage.redis_calls import Call
from otel_llmcost.storage.redis_connecting import Client, aconnected, connected, let_go, node_of

_AT_ONCE = 500
"""Calls that are sent before the first answer is read."""
_FAULTS = (RedisError, RedisClusterException, OSError)


_kept: set[object] = set()
"""What an event loop itself refers to weakly only, until it is over."""


class _OfLoop(NamedTuple):
    """What one event loop has."""

    client: Client
    turns: asyncio.Semaphore
    keeper: AsyncGenerator[None, None]


class Clients:
    """The connections of one process, made when they are first used."""

    def __init__(self, address: Address, timeout_seconds: float) -> None:
        """Connect to nothing yet.

        Args:
            address: of the servers.
            timeout_seconds: how long an act may wait for its turn, for a connection, and for each answer.
        """
        self._address = address
        self._timeout_seconds = timeout_seconds
        self.forget()

    def forget(self) -> None:
        """Begin anew in a child process: what is connected belongs to the parent."""
        self._turns = threading.BoundedSemaphore(self._address.connections)
        self._making = threading.Lock()
        self._client: Client | None = None
        self._by_loop: dict[asyncio.AbstractEventLoop, _OfLoop] = {}

    def run(self, calls: Sequence[Call]) -> list[Any]:
        """Send calls and wait for their answers.

        A connection that was cut, as one kept since before a server was restarted is, is tried once more: every act
        does the same when it is done twice.

        Raises:
            StoreError: not all of them were answered.
        """
        until = time.monotonic() + self._timeout_seconds
        with self._turn(), _told():
            try:
                return self._send(calls)
            except RedisConnectionError:
                if time.monotonic() >= until:
                    raise
                return self._send(calls)

    async def arun(self, calls: Sequence[Call]) -> list[Any]:
        """Send calls and wait for their answers on the event loop.

        Raises:
            StoreError: not all of them were answered in time.
        """
        ours = await self._of_loop()
        with _told():
            try:
                async with asyncio.timeout(self._timeout_seconds), ours.turns:
                    try:
                        return await _asend(ours.client, calls)
                    except RedisConnectionError:
                        return await _asend(ours.client, calls)
            except TimeoutError as error:
                msg = f"no answer within {self._timeout_seconds:g} s"
                raise RedisError(msg) from error

    def close(self) -> None:
        """Let go of all connections; those of other event loops as soon as these come round to it."""
        with self._making:
            client, self._client = self._client, None
        if client is not None:
            client.close()
        for loop, ours in list(self._by_loop.items()):
            if loop.is_running():
                loop.call_soon_threadsafe(_end_soon, loop, ours.keeper)

    def _send(self, calls: Sequence[Call]) -> list[Any]:
        client = self._client or self._connect()
        if len(calls) == 1:
            return [_execute(client, calls[0])]
        answers: list[Any] = []
        for start in range(0, len(calls), _AT_ONCE):
            some = calls[start : start + _AT_ONCE]
            pipeline = client.pipeline(transaction=False)
            for call in some:
                pipeline.execute_command(*call.words, **node_of(client, call))
            for call, answer in zip(some, pipeline.execute(raise_on_error=False), strict=True):
                answers.append(_execute(client, call.with_text) if isinstance(answer, NoScriptError) else answer)
        return _checked(answers)

    def _connect(self) -> Client:
        with self._making:
            self._client = self._client or connected(self._address, self._timeout_seconds)
            return self._client

    @contextmanager
    def _turn(self) -> Generator[None, None, None]:
        if not self._turns.acquire(timeout=self._timeout_seconds):
            msg = f"Redis: {self._address.connections} acts are under way already"
            raise StoreError(msg)
        try:
            yield
        finally:
            self._turns.release()

    async def _of_loop(self) -> _OfLoop:
        loop = asyncio.get_running_loop()
        known = self._by_loop.get(loop)
        if known is None:
            client = aconnected(self._address, self._timeout_seconds)
            keeper = self._kept(loop, client)
            known = self._by_loop[loop] = _OfLoop(client, asyncio.Semaphore(self._address.connections), keeper)
            _kept.add(keeper)
            await anext(keeper)
        return known

    async def _kept(self, loop: asyncio.AbstractEventLoop, client: Client) -> AsyncGenerator[None, None]:
        """Let go of connections with their event loop: what ends last before it is closed are its generators."""
        try:
            yield
        finally:
            ours = self._by_loop.pop(loop, None)
            await let_go(client)
            _kept.discard(ours and ours.keeper)


@contextmanager
def _told() -> Generator[None, None, None]:
    """Tell a fault of Redis as ours."""
    try:
        yield
    except _FAULTS as error:
        msg = f"Redis: {error}"
        raise StoreError(msg) from error


def _execute(client: Client, call: Call) -> Any:
    try:
        return client.execute_command(*call.words)
    except NoScriptError:
        return client.execute_command(*call.with_text.words)


async def _aexecute(client: Client, call: Call) -> Any:
    try:
        return await client.execute_command(*call.words)
    except NoScriptError:
        return await client.execute_command(*call.with_text.words)


async def _asend(client: Client, calls: Sequence[Call]) -> list[Any]:
    if len(calls) == 1:
        return [await _aexecute(client, calls[0])]
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*call.words)
    answers = await pipeline.execute(raise_on_error=False)
    return _checked(
        [
            await _aexecute(client, call.with_text) if isinstance(answer, NoScriptError) else answer
            for call, answer in zip(calls, answers, strict=True)
        ]
    )


def _checked(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _end_soon(loop: asyncio.AbstractEventLoop, keeper: AsyncGenerator[None, None]) -> None:
    ending: Any = keeper.aclose()
    task = loop.create_task(ending)
    _kept.add(task)
    task.add_done_callback(_kept.discard)
