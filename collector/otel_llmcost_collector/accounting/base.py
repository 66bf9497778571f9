"""What receivers need of whoever keeps the books, be it in this process or in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from otel_llmcost_collector.observed import Elsewhere, Observed


class Accounts(Protocol):
    """Keeps the books."""

    async def post(self, observed: Sequence[Observed]) -> Elsewhere:
        """Charge calls, each once; return when that is on disk.

        Returns:
            Which of them are not charged because another telling of the same call is. One that was only sent again is
            not among them: it stands for its call, as it did before.

        Raises:
            StoreError: it is not; sending the same again later is right. `StoreBusyError`: there is too much to do.
        """
        ...
