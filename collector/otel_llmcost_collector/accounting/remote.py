"""The accountant for other processes of its collector: they post over a Unix socket, and hear once it is on disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from otel_llmcost.errors import StoreError, WireError
from otel_llmcost_collector.accounting import wire
from otel_llmcost_collector.accounting.base import Accounts
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.self_metrics import Figures

LOGGER = logging.getLogger("otel_llmcost_collector")

ANSWER_SECONDS = 30.0
"""So long a worker waits for the accountant; its senders wait no longer."""


class Workers(Protocol):
    """Whoever wants to know what workers count."""

    def take(self, run: str, figures: Figures) -> None:
        """Note what a worker has counted since it began."""
        ...

    def gone(self, run: str) -> None:
        """Note that a worker is no longer there."""
        ...


class AccountsServer:
    """Takes posts of workers."""

    def __init__(self, accounts: Accounts, workers: Workers) -> None:
        """Listen nowhere yet; see `begin`."""
        self._accounts = accounts
        self._workers = workers
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[object] | None] = {}
        """Of each connection, and what serves it."""

    @classmethod
    async def begin(cls, path: Path, accounts: Accounts, workers: Workers) -> AccountsServer:
        """Listen at a socket, in place of any that was left there; nobody but this user gets in.

        Args:
            path: of the socket, in a folder that is this user's alone.
            accounts: keeps the books.
            workers: is told what workers count.
        """
        server = cls(accounts, workers)
        path.unlink(missing_ok=True)  # noqa: ASYNC240 -- before anything is served
        server._server = await asyncio.start_unix_server(server._serve, path)
        path.chmod(0o600)  # noqa: ASYNC240 -- see above
        return server

    async def end(self) -> None:
        """Listen no more, let posts under way be answered, and hang up."""
        if self._server is not None:
            self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        served = [task for task in self._writers.values() if task is not None]
        for writer in list(self._writers):
            writer.close()
        if served:
            await asyncio.wait(served)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = asyncio.current_task()
        runs: set[str] = set()
        try:
            while (message := await wire.read(reader, wire.asked)) is not None:
                if isinstance(message, wire.Told):
                    runs.add(message.run)
                    self._workers.take(message.run, message.figures)
                else:
                    self._begin(message, writer)
        except WireError as error:
            LOGGER.warning("what a worker says cannot be read, it has to begin anew: %s", error)
        finally:
            self._writers.pop(writer)
            writer.close()
            for run in runs:
                self._workers.gone(run)

    def _begin(self, post: wire.Post, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._post(post, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, post: wire.Post, writer: asyncio.StreamWriter) -> None:
        problem: StoreError | None = None
        elsewhere = NOTHING_ELSEWHERE
        try:
            elsewhere = await self._accounts.post(post.observed)
        except StoreError as error:
            problem = error
        if not writer.is_closing():
            writer.write(wire.frame(wire.answer_of(post.number, problem, elsewhere)))


class _Connection:
    """One connection to the accountant, and who waits for an answer over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.waiting: dict[int, asyncio.Future[Elsewhere]] = {}
        self.reading = asyncio.ensure_future(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (answer := await wire.read(reader, wire.answered)) is not None:
                self._resolve(answer.number, wire.error_of(answer), answer.elsewhere)
        except WireError as error:
            LOGGER.warning("what the accountant says cannot be read: %s", error)
        finally:
            self.writer.close()
            for number in list(self.waiting):
                self._resolve(number, StoreError("the accountant went away before it answered"))

    def _resolve(self, number: int, error: StoreError | None, elsewhere: Elsewhere = NOTHING_ELSEWHERE) -> None:
        future = self.waiting.get(number)
        if future is None or future.done():
            return  # whoever waited was cancelled
        if error is None:
            future.set_result(elsewhere)
        else:
            future.set_exception(error)


class RemoteAccounts:
    """See `Accounts`: of another process, to which this one connects, again whenever it was begun anew."""

    def __init__(self, path: Path, *, run: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        """Connect to nothing yet.

        Args:
            path: of the accountant's socket.
            run: names this run of this process.
            answer_seconds: how long to wait for an answer.
        """
        self._path = path
        self._run = run
        self._answer_seconds = answer_seconds
        self._number = 0
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def post(self, observed: Sequence[Observed]) -> Elsewhere:
        """See `Accounts.post`; what is not answered may have been charged, and sending it again is right."""
        if not observed:
            return NOTHING_ELSEWHERE
        self._number = number = self._number + 1
        content = wire.frame(wire.Post(number, list(observed)))
        connection = await self._connected()
        future: asyncio.Future[Elsewhere] = asyncio.get_running_loop().create_future()
        connection.waiting[number] = future
        try:
            connection.writer.write(content)
            async with asyncio.timeout(self._answer_seconds):
                return await future
        except TimeoutError as error:
            msg = f"the accountant did not answer within {self._answer_seconds:g} s"
            raise StoreError(msg) from error
        finally:
            del connection.waiting[number]

    async def tell(self, figures: Figures) -> None:
        """Tell what this process has counted.

        Raises:
            StoreError: the accountant is out of reach.
        """
        connection = await self._connected()
        connection.writer.write(wire.frame(wire.Told(self._run, figures)))

    async def close(self) -> None:
        """Hang up; who still waits is told so."""
        if self._connection is not None:
            self._connection.writer.close()
            await self._connection.reading

    async def _connected(self) -> _Connection:
        connection = self._connection
        if connection is not None and not connection.writer.is_closing():
            return connection
        async with self._connecting:
            if self._connection is None or self._connection.writer.is_closing():
                try:
                    self._connection = _Connection(*await asyncio.open_unix_connection(self._path))
                except OSError as error:
                    msg = f"the accountant is out of reach: {error.strerror}"
                    raise StoreError(msg) from error
            return self._connection
