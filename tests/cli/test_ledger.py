"""`ledger` hands entries out, prices them anew, and copies them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet

from otel_llmcost.core.focus import COLUMNS
from otel_llmcost.core.ledger import reversal
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Posting
from otel_llmcost_collector.ledger import open_ledger
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS
from tests.cli.conftest import NOW, Shell
from tests.collector.ledger.lines import FOREVER, charge, lines, nothing

YESTERDAY = NOW - timedelta(days=1)
DEARER = """
[[price]]
provider = "openai"
model = "gpt-4o*"
valid_from = 2026-01-01
input = 10.00
output = 20.00
"""


@pytest.fixture
def spent(shell: Shell) -> Shell:
    shell.spend("3.00", agent="writer", user="ada")
    shell.spend("1.00", at=YESTERDAY, usage={"input_tokens": 5, "web_searches": 2})
    shell.spend(None, model="home-grown")
    return shell


def totals(shell: Shell) -> list[tuple[int, int, int]]:
    return [(each.calls, each.cost_nano, each.unpriced_calls) for each in shell.store.totals((), *FOREVER)]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_entries_are_exported_with_the_columns_of_focus(spent: Shell) -> None:
    """In order of time; a cost that nobody knows is empty and not 0."""
    result = spent.run("ledger", "export")

    rows = table(result.stdout)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["EffectiveCost"] for row in rows] == ["1.000000000", "3.000000000", ""]
    first, second = rows[:2]
    assert (first["ConsumedQuantity"], first["ConsumedUnit"], first["x_OtherUsage"]) == (
        "5",
        "Tokens",
        '{"web_searches": 2}',
    )
    assert first["ChargePeriodStart"] == "2026-11-21T12:00:00Z"
    assert json.loads(second["Tags"])["user"] == "ada"


def test_a_time_is_exported(spent: Shell) -> None:
    assert len(table(spent.run("ledger", "export", "--from", "day").stdout)) == 2
    assert len(table(spent.run("ledger", "export", "--from", "7d", "--to", "day").stdout)) == 1


def test_json_has_one_entry_a_line(spent: Shell) -> None:
    found = [json.loads(line) for line in spent.run("ledger", "export", "--format", "json").stdout.splitlines()]

    assert [each["EffectiveCost"] for each in found] == ["1.000000000", "3.000000000", None]
    assert found[0]["x_InputTokens"] == 5


@pytest.mark.parametrize("form", ["csv", "json"])
def test_text_is_written_to_a_file(spent: Shell, tmp_path: Path, form: str) -> None:
    """Which has its name only when it is whole."""
    result = spent.run("ledger", "export", "--format", form, "--out", str(tmp_path / "out"))

    assert "3 entries written" in result.stderr
    assert (tmp_path / "out").read_text() == spent.run("ledger", "export", "--format", form).stdout
    assert [path.name for path in tmp_path.glob("out*")] == ["out"]


def test_parquet_keeps_kinds_and_amounts(spent: Shell, tmp_path: Path) -> None:
    """Amounts are decimal numbers, times are times."""
    spent.run("ledger", "export", "--format", "parquet", "--out", str(tmp_path / "out.parquet"))

    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["EffectiveCost"] for row in rows] == [Decimal(1), Decimal(3), None]
    assert rows[0]["ChargePeriodStart"] == YESTERDAY.astimezone(UTC)
    assert rows[0]["x_InputTokens"] == 5


def test_parquet_needs_a_file(spent: Shell) -> None:
    result = spent.run("ledger", "export", "--format", "parquet")

    assert (result.exit_code, "--out FILE" in result.stderr) == (2, True)


def test_a_missing_extra_is_named(spent: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs pyarrow for anything else."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "otel_llmcost.cli.parquet", raising=False)

    result = spent.run("ledger", "export", "--format", "parquet", "--out", str(tmp_path / "out"))

    assert result.exit_code == 1
    assert "otel-llmcost[parquet]" in result.stderr


def test_repricing_shows_the_difference_and_writes_nothing(spent: Shell) -> None:
    before = totals(spent)
    spent.configure(DEARER)

    result = spent.run("ledger", "reprice")

    assert "Nothing was written: --apply writes corrections of 2 entries." in result.stdout
    assert "1 entries stay as they are" in result.stdout
    assert totals(spent) == before


def test_repricing_corrects_once(spent: Shell) -> None:
    """Doing it again changes nothing; calls stay as many as they were."""
    spent.configure(DEARER)

    first = spent.run("ledger", "reprice", "--apply")
    after = totals(spent)
    again = spent.run("ledger", "reprice", "--apply")

    assert "2 entries were corrected; budgets' balances were not moved." in first.stdout
    assert "Nothing changes." in again.stdout
    # 100 tokens in and 10 out, and 5 in: searches have no price of their own in the override
    assert after == totals(spent)
    assert after[0][0] == 3


def test_repricing_goes_back_with_the_prices(spent: Shell) -> None:
    """Each correction is of the one before."""
    spent.run("ledger", "reprice", "--apply")
    at_list = totals(spent)
    spent.configure(DEARER)
    spent.run("ledger", "reprice", "--apply")
    spent.configure("")
    spent.run("ledger", "reprice", "--apply")

    assert totals(spent) == at_list


def test_repricing_at_a_day_says_what_it_would_have_been_then(spent: Shell) -> None:
    spent.configure(DEARER.replace("2026-01-01", "2026-12-01"))

    now = json.loads(spent.run("ledger", "reprice", "--json").stdout)
    then = json.loads(spent.run("ledger", "reprice", "--as-of", "2026-12-01", "--json").stdout)

    assert now["total"]["entries"] == then["total"]["entries"] == 3
    assert then["total"]["new_cost_usd"] > now["total"]["new_cost_usd"]
    assert {each["model"] for each in then["models"]} == {"gpt-4o", "home-grown"}


def test_what_was_left_half_done_is_mended(spent: Shell) -> None:
    """A process that was stopped wrote the new entries, but did not take the old ones back."""
    spent.configure(DEARER)
    whole = Shell(spent.folder)
    for one in list(spent.store.charges(*FOREVER)):
        whole.store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={})])
    whole.run("ledger", "reprice", "--apply")
    for one in whole.store.charges(*FOREVER):
        if one.method != "reversed":
            spent.store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={})])

    spent.run("ledger", "reprice", "--apply")

    assert totals(spent) == totals(whole)


@pytest.fixture
def collected(tmp_path: Path) -> Iterator[str]:
    """The URL of a collector's ledger that has a few calls, and is in use."""
    url = f"sqlite://{tmp_path}/collector.db"
    ledger = open_ledger(url, node="a")
    first = charge(requested_model="gpt-4o", tags={"agent": "writer"})
    ledger.write(lines(first, charge(tags={}), reversal(charge(tags={}))), nothing)
    yield url
    ledger.close()


def test_a_collectors_ledger_is_exported(shell: Shell, collected: str) -> None:
    rows = table(shell.run("ledger", "--ledger", collected, "export").stdout)

    assert [row["x_Method"] for row in rows].count("reversed") == 1
    assert len(rows) == 3


def test_a_collectors_ledger_is_priced_anew(shell: Shell, collected: str) -> None:
    """Its metrics learn of it when it is opened, as told by whoever told of the call; once."""
    shell.configure(DEARER)
    for _ in range(2):
        shell.run("ledger", "--ledger", collected, "reprice", "--apply", "--to", "2027-01-01")

    ledger = open_ledger(collected, node="a")
    series = ledger.series()["openai", "gpt-4o", "chat", "writer", "", "", "", "confirmed", "test"]
    amounts = dict(zip(SERIES_AMOUNTS, series, strict=True))
    assert amounts["reversed_nano"] == 1_000_000_000
    assert amounts["cost_nano"] - 1_000_000_000 == 1400 * 10_000 + 100 * 1_250 + 500 * 20_000
    ledger.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ledger", "sqlite:///no/such.db", "export"), "there is no /no/such.db"),
        (("--ledger", "mysql://host/db", "export"), "no ledger for 'mysql://'"),
        (("--ledger", "postgresql://host/db", "backup", "--to", "x"), "pg_dump"),
        (("backup", "--to", "x"), "memory://"),
        (("--ledger", "sqlite:///no/such.db", "backup", "--to", "x"), "there is no /no/such.db"),
    ],
)
def test_what_cannot_be_done_is_said(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    shell.configure('store = "memory://"\n')

    result = shell.run("ledger", *arguments)

    assert result.exit_code == 1
    assert said in result.stderr


def test_a_ledger_is_copied_while_it_is_written_to(shell: Shell, collected: str, tmp_path: Path) -> None:
    """Whole, and under its name only when it is."""
    result = shell.run("ledger", "--ledger", collected, "backup", "--to", str(tmp_path / "copy.db"))

    assert "copied to" in result.stdout
    copy = open_ledger(f"sqlite://{tmp_path}/copy.db", node="a")
    assert len(list(copy.charges(*FOREVER))) == 3
    copy.close()
    again = shell.run("ledger", "--ledger", collected, "backup", "--to", str(tmp_path / "copy.db"))
    assert "is there already" in again.stderr


def test_the_stores_ledger_is_copied(shell: Shell, tmp_path: Path) -> None:
    """Which is what is copied if nothing is said."""
    url = f"sqlite://{tmp_path}/store.db"
    store = open_store(url)
    store.settle([Posting(reservation_id="r", claims=(), charge=charge(), assumed={})])
    shell.configure(f'store = "{url}"\n')

    shell.run("ledger", "backup", "--to", str(tmp_path / "copy.db"))

    store.close()
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT count(*) FROM charges").fetchone() == (1,)
    copy.close()


def test_a_copy_that_cannot_be_made_leaves_nothing_behind(shell: Shell, tmp_path: Path) -> None:
    """What is no database cannot be copied as one."""
    (tmp_path / "notes.txt").write_text("these are no entries " * 100)

    result = shell.run("ledger", "--ledger", f"sqlite://{tmp_path}/notes.txt", "backup", "--to", f"{tmp_path}/copy.db")

    assert "cannot be copied" in result.stderr
    assert [path.name for path in tmp_path.glob("copy*")] == []
