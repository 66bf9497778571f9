"""A command line over a store in memory, with a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from otel_llmcost.cli.main import cli
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config import Settings, load
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.budget import BalanceKey, Budget, Claim
from otel_llmcost.core.ledger import Charge, ChargeStatus
from otel_llmcost.core.money import to_nano
from otel_llmcost.core.policy import micros
from otel_llmcost.core.usage import Usage
from otel_llmcost.pricebook.book import load as load_prices
from otel_llmcost.storage.base import Hold, Posting
from otel_llmcost.storage.memory import MemoryStore

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BOOK = load_prices()


@dataclass
class Shell:
    """What a test types on and looks at."""

    folder: Path
    store: MemoryStore = field(default_factory=MemoryStore)
    environ: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW
    calls: int = 0

    def configure(self, text: str) -> None:
        (self.folder / "llmcost.toml").write_text(text)

    @property
    def settings(self) -> Settings:
        return load(self.environ, cwd=self.folder, home=self.folder)

    def run(self, *arguments: str, stdin: str = "") -> Result:
        settings = self.settings
        tools = Tools(
            settings=settings,
            environ=self.environ,
            now=lambda: self.now,
            store=lambda: self.store,
            book=lambda: BOOK.with_overrides(settings.prices),
        )
        return CliRunner().invoke(cli, arguments, input=stdin, obj=tools, catch_exceptions=False)

    def spend(
        self,
        usd: str | None,
        *,
        at: datetime = NOW - timedelta(hours=1),
        status: ChargeStatus = "confirmed",
        model: str = "gpt-4o",
        reserved: str | None = None,
        **facts: Any,
    ) -> None:
        """Book a call that cost so much; None: its price is not known.

        Args:
            reserved: leave the call under way, with so much reserved for it, instead of booking it.
            facts: tags by their names; `method` and `usage` of the charge.
        """
        self.calls += 1
        method, usage = facts.pop("method", "reported"), facts.pop("usage", {"input_tokens": 100, "output_tokens": 10})
        tags: Mapping[Dimension, str] = {**facts, "provider": "openai", "model": model}
        amount = to_nano(Decimal(reserved or usd or 0))
        claims = tuple(
            _claim(budget, subject, at, amount)
            for budget in self.settings.budgets
            if (subject := budget.subject(tags)) is not None
        )
        charge_id = f"charge-{self.calls}"
        self.store.reserve(Hold(reservation_id=charge_id, claims=claims, at=at, expires_at=at + timedelta(days=1)))
        if reserved is not None:
            return
        charge = Charge(
            charge_id=charge_id,
            at=at,
            duration_seconds=0,
            provider="openai",
            operation="chat",
            requested_model=model,
            served_model=None,
            tags=tags,
            usage=Usage(usage),
            status="unpriced" if usd is None else status,
            method=method,
            cost_nano=None if usd is None else amount,
            list_cost_nano=None if usd is None else amount,
        )
        self.store.settle([Posting(reservation_id=charge_id, claims=claims, charge=charge, assumed={})])


def _claim(budget: Budget, subject: str, at: datetime, amount_nano: int) -> Claim:
    span = budget.window.at(at)
    return Claim(
        key=BalanceKey(budget.name, subject, micros(span.bucket_start)),
        from_us=micros(span.start),
        window=span,
        limit_nano=budget.limit_nano,
        refuses=budget.on_limit == "refuse",
        amount_nano=amount_nano,
        marks=tuple((mark.level, int(mark.share * budget.limit_nano)) for mark in budget.marks),
        measure=budget.measure,
    )


def texts(shell: Shell, area: str, state: str) -> list[str]:
    """What `doctor` says of one area, in one state."""
    found = json.loads(shell.run("doctor", "--json").stdout)
    return [check["text"] for check in found if (check["area"], check["state"]) == (area, state)]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command with its real wiring, in an empty home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "OTEL_LLMCOST_CONFIG", "OTEL_LLMCOST_STORE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, arguments, input=stdin, prog_name="otel-llmcost", catch_exceptions=False)

    return run


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install packages that hold no more than what is looked at."""

    def install(
        name: str, *, entry_points: str = "", requires: tuple[str, ...] = (), folder: str = "", **files: str
    ) -> None:
        info = tmp_path / f"{name.replace('-', '_')}-9.0.dist-info"
        info.mkdir()
        required = "".join(f"Requires-Dist: {each}\n" for each in requires)
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 9.0\n{required}")
        (info / "entry_points.txt").write_text(entry_points)
        for module, text in files.items():
            (tmp_path / (folder or name)).mkdir(parents=True, exist_ok=True)
            (tmp_path / (folder or name) / f"{module}.py").write_text(text)

    monkeypatch.syspath_prepend(tmp_path)
    return install
