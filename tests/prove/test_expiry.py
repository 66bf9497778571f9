"""No reservation outlives its time, and what is reserved for the worst blocks nobody who asked for the expected."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from examples.provider_server import ProviderServer
from otel_llmcost.core.budget import Refusal
from otel_llmcost.core.window import parse_window
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Hold
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.store_api import StoreApi
from tests.prove.conftest import UrlOf
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.storage.books import LEASE, NOW, USD, Books, budget, unbilled
from tests.storage.processes import Process
from tests.storage.serving import Serving

_STEPS_A_HISTORY = 12
_AT_ONCE = 20
_AGENT = """
import asyncio, json, os, sys
import otel_llmcost
otel_llmcost.instrument()
import openai

async def ask(client, most):
    try:
        asked = {"max_completion_tokens": most} if most else {}
        await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi."}], **asked)
    except otel_llmcost.RefusedError:
        return "refused"
    return "answered"

async def main():
    async with openai.AsyncOpenAI(max_retries=0) as client:
        return await asyncio.gather(*(ask(client, int(sys.argv[1])) for _ in range(int(sys.argv[2]))))

print(json.dumps(asyncio.run(main())), flush=True)
"""
_STORY = """
store = "memory://"
[[budget]]
name = "daily"
limit = 25
window = "year"
RESERVE
[[price]]
provider = "openai"
model = "gpt-4o"
valid_from = 2020-01-01
input = 10
output = 100
"""


@dataclass
class History:
    """Calls as they come, live on, end and die, beside what must be held for them."""

    books: Books
    chance: random.Random
    under_way: dict[str, Hold] = field(default_factory=dict)
    expires_at: dict[str, object] = field(default_factory=dict)
    given_up: dict[str, Hold] = field(default_factory=dict)
    charged: int = 0

    def step(self) -> None:
        what = self.chance.choices(["begin", "end", "live on", "give up"], weights=[5, 2, 2, 1])[0]
        if what == "begin" or not self.under_way:
            hold = self.books.reserve(self.chance.randint(1, 9))
            self.under_way[hold.reservation_id], self.expires_at[hold.reservation_id] = hold, hold.expires_at
        else:
            self._go_on(what, self.chance.choice(sorted(self.under_way)))
        self.books.now += timedelta(minutes=self.chance.choice([0, 1, 4, 16]))
        over = [name for name in self.under_way if self.expires_at[name] <= self.books.now]
        self.given_up |= {name: self.under_way.pop(name) for name in over}
        assert self.books.store.expire(self.books.now) == len(over)

    def _go_on(self, what: str, name: str) -> None:
        if what == "live on":
            self.expires_at[name] = self.books.now + LEASE
            self.books.store.renew([name], self.books.now + LEASE)
            return
        hold, cost = self.under_way.pop(name), self.chance.randint(0, 12)
        self.books.store.settle([self.books.posting(hold, cost) if what == "end" else unbilled(hold)])
        self.charged += cost * USD * (what == "end")

    def check(self) -> None:
        balance = self.books.balance()
        held, lost = (
            sum(hold.claims[0].amount_nano for hold in holds.values()) for holds in (self.under_way, self.given_up)
        )
        assert (balance.reserved_nano, balance.suspected_nano, balance.settled_nano) == (held, lost, self.charged)
        assert self.books.store.open_reservations() == len(self.under_way)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis", "redis+cluster", "https"])
def test_what_nobody_ends_counts_as_reserved_until_its_time_is_over_and_as_suspected_then(
    kind: str, size: Size, url_of: UrlOf, report: Report, tmp_path: Path
) -> None:
    """The clock is handed in: what is over is over at the first look after it."""
    chance, steps = size.chance("expiry", kind), size.histories * _STEPS_A_HISTORY
    with _books(kind, url_of, tmp_path) as books:
        history = History(books, chance)
        for _ in range(steps):
            history.step()
            history.check()
        books.now += LEASE
        books.store.expire(books.now)

        assert books.store.open_reservations() == 0
        assert books.balance().reserved_nano == books.balance().exposure_nano == 0

    report.say("c  expiry", kind, f"{steps} steps, {len(history.given_up)} reservations given up in time, none late")


@contextmanager
def _books(kind: str, url_of: UrlOf, folder: Path) -> Iterator[Books]:
    budgets, start = [budget(limit="1000000000", window=parse_window("year"))], NOW.replace(month=1, day=1)
    if kind != "https":
        url = f"sqlite://{folder}/own.db" if kind == "sqlite" else url_of(kind)
        mark = "&" if "?" in url else "?"
        with closing(open_store(f"{url}{mark}prefix=expiry" if "redis" in kind else url)) as store:
            yield Books(store, budgets, start)
        return
    kept = MemoryStore()
    books = Books(kept, budgets, start)
    api = StoreApi(kept, clock=lambda: books.now)  # the server goes by its own clock, so that is handed in as well
    with closing(api), Serving(api) as serving, closing(open_store(f"http://127.0.0.1:{serving.port}")) as store:
        books.store = store
        yield books


@pytest.mark.parametrize(
    ("reserve", "most", "let_through"),
    [
        pytest.param('reserve = "expected"', 100_000, _AT_ONCE, id="expected"),
        pytest.param('reserve = "worst"', 100_000, 2, id="worst"),
        pytest.param("", 100_000, 2, id="default-with-a-maximum-of-output"),
        pytest.param("", 0, _AT_ONCE, id="default-without"),
    ],
)
def test_a_budget_of_25_dollars_with_nothing_spent(
    reserve: str, most: int, let_through: int, tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty calls at once that may cost ten dollars each at worst, and cost cents: only `worst` turns them away."""
    config = tmp_path / "llmcost.toml"
    config.write_text(_STORY.replace("RESERVE", reserve))
    with ProviderServer() as server:
        for name, value in {**server.environment, "OTEL_LLMCOST_CONFIG": str(config)}.items():
            monkeypatch.setenv(name, value)
        server.hold()
        agent = Process(_AGENT, most, _AT_ONCE)
        server.wait_for(let_through, 60)  # all of them are under way at one time, and none has cost anything
        server.release()
        outcomes = agent.answer()

    assert outcomes.count("answered") == let_through
    assert outcomes.count("refused") == _AT_ONCE - let_through
    report.say("c  $25 at $0 spent", reserve or f"default, maximum {most or 'not set'}", f"{let_through} of 20 sent")


def test_a_refused_claim_leaves_nothing_behind() -> None:
    """What did not fit holds no room that others would need."""
    books = Books(MemoryStore(), [budget("a", "5"), budget("b", "1")])

    assert isinstance(books.store.reserve(books.hold(3)), Refusal)

    assert books.balance("a").held_nano == books.balance("b").held_nano == 0
