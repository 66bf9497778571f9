"""The processes of a collector's soak: an accountant, and workers that post to it until all of theirs is on disk."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.accounting.remote import AccountsServer, RemoteAccounts
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.self_metrics import Figures
from tests.collector.test_soak import BUDGETS
from tests.storage.books import NOW

AT_ONCE = 4
_PAUSE_SECONDS = 0.01


class _Unseen:
    """Looks at no worker's numbers."""

    def take(self, run: str, figures: Figures) -> None:
        """See `Workers`."""

    def gone(self, run: str) -> None:
        """See `Workers`."""


async def account(folder: Path) -> None:
    """Keep the books of a folder until told to stop."""
    ledger = SqliteLedger(str(folder / "ledger.db"), node="n-1")
    store = open_store(f"sqlite://{folder}/balances.db")
    accountant = Accountant(ledger, store, Policy(BUDGETS, NOW), clock=lambda: NOW)
    accountant.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await AccountsServer.begin(folder / "accounts.sock", accountant, _Unseen())
    await stop.wait()
    await server.end()
    accountant.close(seconds=60)
    store.close()
    ledger.close()


async def send(folder: Path, number: str) -> None:
    """Send all batches of a worker, each until it is taken; go on behind those that one before it saw taken."""
    batches = msgspec.msgpack.decode((folder / f"batches-{number}").read_bytes(), type=list[list[Observed]])
    done = folder / f"done-{number}"
    first = done.stat().st_size if done.exists() else 0
    remote = RemoteAccounts(folder / "accounts.sock", run=number)
    with done.open("ab", buffering=0) as marks:
        for start in range(first, len(batches), AT_ONCE):
            some = batches[start : start + AT_ONCE]
            await asyncio.gather(*(_until_taken(remote, batch) for batch in some))
            marks.write(b"." * len(some))
    await remote.close()


async def _until_taken(remote: RemoteAccounts, batch: list[Observed]) -> None:
    while True:
        with suppress(StoreError):
            await remote.post(batch)
            return
        await asyncio.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run({"account": account, "send": send}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
