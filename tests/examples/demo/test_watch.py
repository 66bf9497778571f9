"""What the demo sees of the team: its refusals, by the words of the error itself; its balances; what arrived."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from examples.demo.stage import CONFIG, Stage
from examples.demo.watch import Refused, Watcher
from otel_llmcost.config import load
from otel_llmcost.errors import BudgetExceededError
from otel_llmcost.storage.memory import MemoryStore

BEGAN = datetime(2026, 11, 22, 12, tzinfo=UTC)
REFUSAL = BudgetExceededError.over_limit(
    budget="user-daily",
    scope="user=ada",
    limit=Decimal("0.006"),
    balance=Decimal("0.005863"),
    requested=Decimal("0.00021"),
    window_end=BEGAN,
    retry_after_seconds=None,
)


class Play:
    """A watcher of a team that a test speaks for."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "agents.log"
        self.log.touch()
        self.entries: list[dict[str, Any]] = []
        stage = SimpleNamespace(
            log=self.log, server=None, receiver=SimpleNamespace(entries=self.entries), began_at=BEGAN
        )
        settings = load({"OTEL_LLMCOST_CONFIG": str(CONFIG)}, cwd=folder, home=folder)
        self.watcher = Watcher(cast("Stage", stage), settings, MemoryStore())

    def prints(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(text)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def test_a_refusal_is_read_as_the_error_says_it(play: Play) -> None:
    play.prints(f"round 1\n  task t-1 for ada: 3 questions\n  task t-2 for ada stopped: {REFUSAL}\n")

    seen = play.watcher.read()

    assert seen.tasks == 2
    assert seen.refused == (Refused(seen.seconds, "t-2", "ada", "user-daily", "$0.000210", "$0.000137"),)


def test_a_line_counts_once_it_is_whole(play: Play) -> None:
    seen = []
    for text in ("  task t-1", " for ada: done\n  ta", "sk t-2 for ada: done\n", ""):
        play.prints(text)
        seen.append(play.watcher.read().tasks)

    assert seen == [0, 1, 2, 2]


def test_budgets_stand_in_the_order_of_the_file_whoever_uses_them(play: Play) -> None:
    assert [each.balance.budget for each in play.watcher.read().standings] == [
        "research-daily",
        "user-daily",
        "writer-daily",
    ]


def test_what_is_not_believed_is_seen_as_such(play: Play) -> None:
    at = BEGAN.timestamp() + 5
    data = {"level": "exceeded", "budget": "b", "scope": "user=ada", "share": 0.9, "refused": True}
    play.entries.append({"status": 200, "at": at, "body": {"data": data}, "reason": "taken"})
    play.entries.append({"status": 401, "at": at, "body": None, "reason": "no signature fits"})

    good, bad = play.watcher.read().webhooks

    assert (good.is_verified, good.level, good.subject, good.share, good.by_refusal) == (
        True,
        "exceeded",
        "user=ada",
        0.9,
        True,
    )
    assert (bad.is_verified, bad.level, bad.reason, bad.at_seconds) == (False, "", "no signature fits", 5.0)
