"""What is looked for in the whole ledger, by one process of all: budgets that burn, anomalies, alerts that are over.

Loaded by the process that does this, in its thread, so that no agent starts slower for it.
"""

from __future__ import annotations

from datetime import datetime

from otel_llmcost.alerting.burning import watch_burns
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.policy import Policy
from otel_llmcost.storage.base import Store


def watch(store: Store, policy: Policy, now: datetime) -> list[Alert]:
    """Look at everything; return the alerts that were fired, which are in the outbox.

    Raises:
        StoreError: the ledger cannot be read, or the outbox not be written.
    """
    return watch_burns(store, policy, now)
