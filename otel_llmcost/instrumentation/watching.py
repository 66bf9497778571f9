"""What is looked for in the whole ledger, by one process of all: budgets that burn, anomalies, alerts that are over.

Loaded by the process that does this, in its thread, so that no agent starts slower for it.
"""

from __future__ import annotations

from datetime import datetime

from otel_llmcost.alerting.burning import watch_burns
from otel_llmcost.alerting.recovery import recovered
from otel_llmcost.alerting.watch_anomalies import watch_hourly
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.anomaly import Anomalies
from otel_llmcost.core.policy import Policy
from otel_llmcost.storage.base import Store


def watch(store: Store, policy: Policy, anomalies: Anomalies | None, now: datetime) -> list[Alert]:
    """Look at everything; return the alerts that were fired. Those who were told of what recovered will be told.

    Args:
        store: the ledger and the outbox.
        policy: the budgets in force.
        anomalies: what to look for; None: what is looked for where nobody says otherwise.
        now: the time.

    Raises:
        StoreError: the ledger cannot be read, or the outbox not be written.
    """
    recovered(store, policy.budgets, now, policy.controls)
    return [*watch_burns(store, policy, now), *watch_hourly(store, now, anomalies or Anomalies())]
