"""What receivers need of whoever keeps the books, be it in this process or in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from otel_llmcost_collector.observed import Observed


class Accounts(Protocol):
    """Keeps the books."""

    async def post(self, observed: Sequence[Observed]) -> None:
        """Charge calls, each once; return when that is on disk.

        Raises:
            StoreError: it is not; sending the same again later is right. `StoreBusyError`: there is too much to do.
        """
        ...
