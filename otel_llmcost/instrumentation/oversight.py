"""Keeps a running process at what its owner wants by now: stops and raises, a changed file, duties of the fleet."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from otel_llmcost.config import Settings
from otel_llmcost.config.fleet import GUARDS
from otel_llmcost.core.acts import NO_CONTROLS, in_force
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import StoreError
from otel_llmcost.instrumentation.chores import Chore
from otel_llmcost.instrumentation.contain import contained, logger
from otel_llmcost.instrumentation.fleet import POLL_SECONDS, Fleet
from otel_llmcost.instrumentation.outage import Outage
from otel_llmcost.instrumentation.source import Source
from otel_llmcost.storage.base import Store

ACTS_SECONDS = 0.5
"""A stop holds in every process within a second: this, and the time a look takes."""
BALANCES_SECONDS = 10.0
"""So old may be what is known of others' spending when the store goes away."""
FILE_SECONDS = 2.0
DUTIES_SECONDS = 60.0
AGAIN_AFTER = timedelta(seconds=30)
"""By then every process has read a changed file; until then some book calls without knowing of a new budget."""
_DUTY = "watch"
_LEASE = timedelta(seconds=DUTIES_SECONDS * 2.5)

Duty = Callable[[Policy, datetime], object]
"""Looks at the whole ledger and tells of what it finds; done by one process of all."""


class Governed(Protocol):
    """What is kept at what its owner wants: whatever accounts for calls."""

    refuse_all_reason: str | None

    @property
    def policy(self) -> Policy:
        """The budgets in force."""
        ...

    @policy.setter
    def policy(self, policy: Policy) -> None: ...

    @property
    def outage(self) -> Outage:
        """What is known while the store is away."""
        ...

    def now(self) -> datetime:
        """Tell the time."""
        ...


@dataclass(slots=True)
class Oversight:
    """Looks after one process."""

    store: Store
    driver: Governed
    source: Source | None
    """None: the settings were handed over, and stay."""
    apply: Callable[[Settings], None]
    """Puts in force what of changed settings is not a budget: channels, prices."""
    duties: Sequence[Duty] = ()
    fleet: Fleet | None = None
    """None: no server tells of budgets."""
    holder: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    _count_again_at: datetime | None = None
    _out_of_reach: bool = False

    def chores(self) -> list[Chore]:
        """List what is to be done, and how often."""
        chores = [
            Chore("look for stops and raises", ACTS_SECONDS, self.look_at_acts),
            Chore("watch the ledger", DUTIES_SECONDS, self.do_duties),
        ]
        if not self.store.is_local:
            chores.append(Chore("take note of balances", BALANCES_SECONDS, self.look_at_balances))
        if self.source is not None:
            chores.append(Chore("read the changed settings", FILE_SECONDS, self.look_at_file))
        if self.fleet is not None:
            chores.append(Chore("ask for the fleet's budgets", POLL_SECONDS, self.look_at_fleet))
        chores.append(Chore("count again", FILE_SECONDS, self.count_again))
        return chores

    def begin(self) -> None:
        """Take up what holds as the process starts."""
        is_away = self.fleet is not None and self.fleet.is_away  # a start waits for its store once
        if not is_away:
            with contained("look for stops and raises"):
                self.look_at_acts()
        if is_away or self._out_of_reach:
            self._count_again_at = self.driver.now() + AGAIN_AFTER
            return
        with contained("count what was spent before"):
            self._adopt()

    def look_at_acts(self) -> None:
        """Put in force what people decided by now; while the store is out of reach, what they had decided stays."""
        now = self.driver.now()
        try:
            acts = self.store.acts_in_force(now)
        except StoreError as error:
            if not self._out_of_reach:
                logger.warning("stops and raises cannot be read, those known stay in force: %s", error)
            self._out_of_reach = True
            return
        self._out_of_reach = False
        controls = in_force(acts, now) if acts else NO_CONTROLS
        policy = self.driver.policy
        if controls != policy.controls:
            self.driver.policy = Policy(policy.budgets, now, controls)
            logger.warning("in force now: stops: %d, raises: %d", len(controls.stops), len(controls.raises))

    def look_at_balances(self) -> None:
        """Take note of what stands on all balances, for as long as the store may be away."""
        now = self.driver.now()
        policy = self.driver.policy
        if not policy.budgets or self.driver.outage.is_on:
            return
        try:
            self.driver.outage.know(self.store.balances(policy.spans(now)), now)
        except StoreError:
            return  # what was known is what will be held on

    def look_at_file(self) -> None:
        """Put changed settings in force; if they cannot be used, say so and go on with those that are."""
        settings = None if self.source is None else self.source.changed()
        if settings is not None and _can_be_used(settings):
            self._change(settings if self.fleet is None else self.fleet.over(settings), self.driver.now())

    def look_at_fleet(self) -> None:
        """Put in force what the server tells all agents by now; while it tells nothing, what it told stays."""
        if self.fleet is not None and self.fleet.has_changed():
            self._change(self.fleet.over(self.fleet.own()), self.driver.now())

    def count_again(self) -> None:
        """Count what others booked without knowing of a budget, once they all know of it."""
        now = self.driver.now()
        if self._count_again_at is not None and now >= self._count_again_at:
            self._count_again_at = now + AGAIN_AFTER  # in case the store is away
            self._count_again(now)
            self._count_again_at = None

    def do_duties(self) -> None:
        """Do what one process of the fleet does, if it is this one."""
        now = self.driver.now()
        if self.duties and self.store.lead(_DUTY, self.holder, now, now + _LEASE):
            for duty in self.duties:
                with contained("watch the ledger"):
                    duty(self.driver.policy, now)

    def _change(self, settings: Settings, now: datetime) -> None:
        self.driver.policy = Policy(settings.budgets, now, self.driver.policy.controls)
        self.driver.refuse_all_reason = settings.refuse_all_reason
        self.apply(settings)
        self._adopt()
        self._count_again_at = now + AGAIN_AFTER
        logger.warning("the settings have changed: %d budgets and limits are in force", len(settings.budgets))

    def _count_again(self, now: datetime) -> None:
        """Count what others booked without knowing of a budget, but nothing that a person has forgiven since."""
        acts = self.store.acts(now - AGAIN_AFTER * 2, now)
        forgiven = {act.budget for act in acts if act.kind == "reset"}
        self.store.adopt([each for each in self.driver.policy.budgets if each.name not in forgiven], now, again=True)

    def _adopt(self) -> None:
        now = self.driver.now()
        for name in self.store.adopt(self.driver.policy.budgets, now):
            logger.info("budget %r is new here and counts what was spent in its window already", name)


def _can_be_used(settings: Settings) -> bool:
    for problem in settings.problems:
        logger.error("the changed settings: %s", problem)
    if any(problem.key.startswith(GUARDS) or not problem.key for problem in settings.problems):
        logger.error("the changed settings are not put in force: a budget or limit in them cannot be read")
        return False
    return True
