"""What a collector shows of itself on `/metrics`, gathered from all its processes and threads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from otel_llmcost_collector.access import DeniedError, admitted, check_host
from otel_llmcost_collector.asgi import Headers, ProblemError
from otel_llmcost_collector.books import Books
from otel_llmcost_collector.exposition.asgi import MetricsApp
from otel_llmcost_collector.exposition.processes import Processes, measure
from otel_llmcost_collector.exposition.rendering import Exposition, Sources
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.plan import Plan
from otel_llmcost_collector.processes import Workers
from otel_llmcost_collector.reception import Reception
from otel_llmcost_collector.self_metrics import WORKER_DEATHS, WORKERS, WORKERS_WANTED, Counters, Figures
from otel_llmcost_collector.store_desk import READERS

_EPOCH = "metrics-epoch.json"


class Showing:
    """Belongs to the event loop, as what renders does."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with nothing to show."""
        self.reception: Reception | None = None
        """Where this process receives."""
        self.workers: Workers | None = None
        self._loop = loop
        self._exposition: Exposition | None = None
        self._counters = Counters()
        self._books: Books | None = None
        self.processes = Processes(self._own)

    def begin(self, plan: Plan, books: Books) -> MetricsApp:
        """Show the books; return what answers."""
        self._books = books
        sources = Sources(series=books.series, figures=self.processes.figures)
        self._exposition = Exposition(
            sources, most_series=plan.collector.most_series, epoch_file=plan.collector.state / _EPOCH
        )
        return MetricsApp(self._exposition, state=books.state, check=lambda headers: _check(plan, headers))

    def saw(self, new: Sequence[Observed]) -> None:
        """Be told of what is new in the ledger, from its thread."""
        with suppress(RuntimeError):  # the loop is over: nobody asks any more
            self._loop.call_soon_threadsafe(self._add, new)

    def _add(self, new: Sequence[Observed]) -> None:
        if self._exposition is not None:
            self._exposition.add(new)

    def _own(self) -> list[Figures]:
        measure(self._counters, "accountant")
        if self.workers is not None:
            self._counters.put(WORKERS, (), self.workers.alive)
            self._counters.put(WORKERS_WANTED, (), self.workers.count)
            self._counters.put(WORKER_DEATHS, (), self.workers.deaths)
        received = [] if self.reception is None else [self.reception.figures()]
        kept = [] if self._books is None else self._books.figures()
        return [self._counters.figures(), *kept, *received]


def _check(plan: Plan, headers: Headers) -> None:
    """Let read who may.

    Raises:
        ProblemError: somebody may not.
    """
    try:
        if not plan.tokens and plan.collector.access.client_ca is None:
            check_host(headers.get("host", ""))
        admitted(plan.tokens, headers.get("authorization", ""), READERS)
    except DeniedError as error:
        raise ProblemError(error.status, str(error)) from None
