"""Workers post to the accountant of another process, and know what is on disk whichever of the two dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from otel_llmcost.errors import StoreBusyError, StoreError, UnstorableError
from otel_llmcost_collector.accounting import wire
from otel_llmcost_collector.accounting.remote import AccountsServer, RemoteAccounts
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.self_metrics import Figures
from tests.collector.accounting.telling import told

FIGURES = Figures({"llmcost_collector_spans": {("http",): 3}}, {})


class Kept:
    """Accounts that keep what is posted, once they are let."""

    def __init__(self) -> None:
        self.posted: list[Observed] = []
        self.problem: Exception | None = None
        self.elsewhere: Elsewhere = NOTHING_ELSEWHERE
        self.may = asyncio.Event()
        self.may.set()
        self.is_asked = asyncio.Event()

    async def post(self, observed: Sequence[Observed]) -> Elsewhere:
        self.is_asked.set()
        await self.may.wait()
        if self.problem is not None:
            raise self.problem
        self.posted += observed
        return self.elsewhere


class Seen:
    """Workers as the accountant's process sees them."""

    def __init__(self) -> None:
        self.living: dict[str, Figures] = {}
        self.has_changed = asyncio.Event()

    def take(self, run: str, figures: Figures) -> None:
        self.living[run] = figures
        self.has_changed.set()

    def gone(self, run: str) -> None:
        self.living.pop(run)
        self.has_changed.set()


def run(path: Path, test: Any, **options: Any) -> None:
    """Run a test between a server and a client."""

    async def all_of_it() -> None:
        kept, seen = Kept(), Seen()
        server = await AccountsServer.begin(path, kept, seen)
        remote = RemoteAccounts(path, run="worker-0", **options)
        try:
            async with asyncio.timeout(20):
                await test(kept, seen, server, remote)
        finally:
            await remote.close()
            await server.end()

    asyncio.run(all_of_it())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.sock"


def test_what_is_posted_arrives_whole(path: Path) -> None:
    calls = [told(response_id="chatcmpl-1", error_type="Timeout"), told(cost_nano=None, tags={})]

    async def test(kept: Kept, _seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        await remote.post(calls)
        await remote.post([])
        assert kept.posted == calls

    run(path, test)


def test_what_is_charged_elsewhere_is_told_to_the_worker(path: Path) -> None:
    async def test(kept: Kept, _seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        kept.elsewhere = {"poorer": "richer"}
        assert await remote.post([told()]) == {"poorer": "richer"}
        kept.elsewhere = {}
        assert await remote.post([told()]) == {}

    run(path, test)


def test_many_posts_are_under_way_at_a_time(path: Path) -> None:
    async def test(kept: Kept, _seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        kept.may.clear()
        posts = [asyncio.ensure_future(remote.post([told()])) for _ in range(50)]
        await kept.is_asked.wait()
        kept.may.set()
        await asyncio.gather(*posts)
        assert len(kept.posted) == 50

    run(path, test)


@pytest.mark.parametrize("kind", [StoreError, StoreBusyError, UnstorableError])
def test_what_is_wrong_is_told_as_it_is(path: Path, kind: type[StoreError]) -> None:
    async def test(kept: Kept, _seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        kept.problem = kind("the disk is full")
        with pytest.raises(kind, match="the disk is full"):
            await remote.post([told()])

    run(path, test)


def test_an_accountant_that_is_not_there_is_a_store_error(path: Path) -> None:
    async def post() -> None:
        await RemoteAccounts(path, run="worker-0").post([told()])

    with pytest.raises(StoreError, match="out of reach"):
        asyncio.run(post())


def test_an_accountant_that_goes_away_leaves_nobody_waiting(path: Path) -> None:
    async def test(kept: Kept, _seen: Seen, server: AccountsServer, remote: RemoteAccounts) -> None:
        kept.may.clear()
        post = asyncio.ensure_future(remote.post([told()]))
        await kept.is_asked.wait()
        for writer in server._writers:
            writer.close()
        with pytest.raises(StoreError, match="went away"):
            await post
        kept.may.set()

    run(path, test)


def test_an_accountant_that_was_begun_anew_is_found_again(path: Path) -> None:
    async def test(kept: Kept, seen: Seen, server: AccountsServer, remote: RemoteAccounts) -> None:
        await remote.post([told()])
        await server.end()
        again = await AccountsServer.begin(path, kept, seen)
        try:
            await _until_posted(remote)
        finally:
            await remote.close()
            await again.end()
        assert len(kept.posted) == 2

    run(path, test)


async def _until_posted(remote: RemoteAccounts) -> None:
    """Do as senders do: send what was not taken again."""
    while True:
        try:
            await remote.post([told()])
        except StoreError:
            await asyncio.sleep(0)
        else:
            return


def test_an_accountant_that_says_nothing_is_not_waited_for_for_ever(path: Path) -> None:
    async def test(kept: Kept, _seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        kept.may.clear()
        with pytest.raises(StoreError, match="within"):
            await remote.post([told()])
        kept.may.set()

    run(path, test, answer_seconds=0.01)


def test_who_stopped_waiting_disturbs_nobody(path: Path) -> None:
    async def test(kept: Kept, _seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        kept.may.clear()
        post = asyncio.ensure_future(remote.post([told()]))
        await kept.is_asked.wait()
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)
        kept.may.set()
        await remote.post([told()])
        assert len(kept.posted) == 2

    run(path, test)


def test_what_a_worker_counts_is_known_as_long_as_it_is_there(path: Path) -> None:
    async def test(_kept: Kept, seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        await remote.tell(FIGURES)
        await seen.has_changed.wait()
        assert seen.living == {"worker-0": FIGURES}
        seen.has_changed.clear()
        await remote.close()
        await seen.has_changed.wait()
        assert seen.living == {}

    run(path, test)


@pytest.mark.parametrize("said", [b"\x00\x00\x00\x02\xc1\xc1", b"\xff\xff\xff\xff", b"\x00\x00"])
def test_who_says_what_cannot_be_read_is_hung_up_on(path: Path, said: bytes) -> None:
    async def test(kept: Kept, _seen: Seen, _server: AccountsServer, remote: RemoteAccounts) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(said)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await remote.post([told()])
        assert len(kept.posted) == 1

    run(path, test)


def test_an_answer_that_cannot_be_read_ends_the_connection(path: Path) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x00\x00\x00\x01\xc1")
        writer.close()

    async def all_of_it() -> None:
        server = await asyncio.start_unix_server(babble, path)
        remote = RemoteAccounts(path, run="worker-0")
        with pytest.raises(StoreError, match="went away"):
            await remote.post([told()])
        await remote.close()
        server.close()

    asyncio.run(all_of_it())


def test_nobody_else_gets_in(path: Path) -> None:
    async def test(*_: Any) -> None:
        assert path.stat().st_mode & 0o777 == 0o600  # noqa: ASYNC240 -- nothing else runs

    run(path, test)


def test_a_name_that_is_no_text_cannot_be_posted_and_is_said() -> None:
    with pytest.raises(UnstorableError, match="no character"):
        wire.frame(wire.Post(1, [told(tags={"user": "J\udcf6rg"})]))


def test_what_is_too_long_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MOST_BYTES", 10)

    with pytest.raises(UnstorableError, match="too many"):
        wire.frame(wire.Post(1, [told()]))


def test_an_error_that_is_not_known_by_name_is_a_store_error() -> None:
    class OtherError(StoreError):
        pass

    answer = wire.answer_of(7, OtherError("said"))

    assert type(wire.error_of(answer)) is StoreError
    assert type(wire.error_of(wire.Answer(7, "NewerError", "said"))) is StoreError


def test_a_server_that_listens_nowhere_ends_at_once() -> None:
    async def end() -> None:
        await AccountsServer(Kept(), Seen()).end()

    asyncio.run(end())
