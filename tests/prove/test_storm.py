"""Budgets hold and books agree through kills, pauses, restarts, failovers and broken networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_llmcost.core.money import from_nano
from tests.prove.oracle import Findings
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.prove.storm import rage
from tests.prove.weathers import WEATHERS

_USD_PER_SECOND = 0.03
"""What agents would spend; the limit is to be reached before the end."""


def summed_up(found: Findings, done: list[str]) -> str:
    """Say in a line how large a storm was."""
    kills = sum(what.startswith("killed") for what in done)
    others = sum(not what.startswith(("killed", "nobody")) for what in done)
    figures = found.figures
    unseen = sum(count for name, count in figures.items() if name.startswith("served,") and "suspected" in name)
    return (
        f"{kills} agents killed, store disturbed {others} times, {figures['looks at balances']:,} looks; "
        f"{figures['served, confirmed']:,} answers confirmed to the nano-dollar, {unseen:,} suspected; "
        f"{figures['charges']:,} charges, ${from_nano(figures['charged nano-USD']):.2f}"
    )


@pytest.mark.parametrize(
    ("kind", "on_store_error"),
    [
        *((kind, "closed") for kind in WEATHERS),
        ("redis", "open"),
    ],
    ids=lambda value: value,
)
def test_after_a_storm_every_nano_dollar_is_where_it_belongs(
    kind: str, on_store_error: str, size: Size, tmp_path: Path, report: Report
) -> None:
    """The provider's log, the ledger, balances and metrics say the same; no balance was ever above limit and bound."""
    with WEATHERS[kind](tmp_path) as weather:
        weather.on_store_error = on_store_error
        found, done = rage(
            weather,
            tmp_path,
            seconds=size.storm_seconds,
            chance=size.chance("storm", kind, on_store_error),
            limit=max(round(size.storm_seconds * _USD_PER_SECOND, 2), 0.2),
        )

    details = [*done, *(f"{name}: {count:,}" for name, count in sorted(found.figures.items()))]
    report.say("b  storm", f"{kind}, {on_store_error}", summed_up(found, done), "; ".join(details))
    assert found.wrong == []
