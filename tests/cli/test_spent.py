"""Fixed costs stand in a report beside what calls cost, and never inside it."""

import csv
import io
import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.cli.conftest import NOW, Shell

PAGE = (Path(__file__).parents[2] / "docs" / "fixed-costs.md").read_text(encoding="utf-8")
MIDNIGHT = NOW.replace(hour=0)
MONITORING = """
[[fixed_cost]]
name = "monitoring"
kind = "observability"
per_day = 0.60
"""
GPU = """
[[fixed_cost]]
name = "rtx-4090"
kind = "gpu"
per_day = 24
allocate_by = "tokens"
to = { model = "llama-*" }
"""

TABLES = """\
Cost by agent from 2026-11-20 00:00 to 2026-11-23 00:00 UTC

 agent          calls  API cost    share  per call  fixed cost   total  total per call  input  cached  output
 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
 writer             2     $3.00   66.7 %     $1.50       $9.80  $12.80           $6.40    160       0      30
 planner            2     $1.50   33.3 %   $0.7500       $3.10   $4.60           $2.30    120       0      10
 (unallocated)      0     $0.00    0.0 %                $48.60  $48.60                      0       0       0

 total              4     $4.50  100.0 %     $1.12      $61.50  $66.00          $16.50    280       0      40


 fixed cost  kind           shared by  among            cost  unallocated
 ────────────────────────────────────────────────────────────────────────
 monitoring  observability  calls      all calls       $1.50      $0.6000
 rtx-4090    gpu            tokens     model=llama-*  $60.00       $48.00


 mean cost of     API cost   total
 ─────────────────────────────────
 a call        4     $1.12  $16.50
 a user        2     $2.25  $33.00

"""


@pytest.fixture
def team(shell: Shell) -> Shell:
    """Two agents on two days, one of them on a model of one's own; the days between are idle."""
    shell.spend("3.00", agent="writer", user="ada")
    shell.spend("0", agent="writer", user="lin", model="llama-3.1-8b", usage={"input_tokens": 60, "output_tokens": 20})
    shell.spend("0", agent="planner", user="lin", model="llama-3.1-8b", usage={"input_tokens": 20})
    shell.spend("1.50", agent="planner", user="ada", at=MIDNIGHT - timedelta(days=2))
    return shell


def document(shell: Shell, *arguments: str) -> dict:
    return json.loads(shell.run("report", *arguments, "--json").stdout)


def by(found: dict, dimension: str, figure: str) -> dict:
    return {group[dimension]: group[figure] for group in found["groups"]}


def test_a_table_shows_calls_and_clock_apart_and_together(team):
    team.configure(MONITORING + GPU)

    result = team.run("report", "--since", "2026-11-20", "--until", "2026-11-23")

    assert result.exit_code == 0
    assert "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines()) == TABLES


def test_a_cost_of_two_days_and_a_half_is_shared_day_by_day(team):
    team.configure(MONITORING)

    found = document(team, "--since", "2026-11-20", "--until", "2026-11-23")

    # Today until noon 0.30, by three calls; the day before, nobody; the day before that 0.60, by one.
    assert by(found, "agent", "fixed_cost_usd") == {"writer": 0.2, "planner": 0.7}
    assert by(found, "agent", "cost_usd") == {"writer": 3, "planner": 1.5}
    assert by(found, "agent", "total_cost_usd") == {"writer": 3.2, "planner": 2.2}
    assert found["unallocated_usd"] == 0.6
    total = found["total"]
    assert (total["cost_usd"], total["fixed_cost_usd"], total["total_cost_usd"]) == (4.5, 1.5, 6)


def test_each_fixed_cost_says_what_it_came_to_and_how_it_is_shared(team):
    team.configure(GPU)

    assert document(team, "--since", "today")["fixed_costs"] == snapshot(
        [
            {
                "name": "rtx-4090",
                "kind": "gpu",
                "charge_category": "Purchase",
                "charge_frequency": "Recurring",
                "allocate_by": "tokens",
                "to": {"model": ["llama-*"]},
                "cost_usd": 12.0,
                "unallocated_usd": 0.0,
            }
        ]
    )


def test_only_calls_on_ones_own_model_bear_its_gpu(team):
    team.configure(GPU)

    by_agent, by_model = (document(team, "--by", name, "--since", "today") for name in ("agent", "model"))

    assert by(by_agent, "agent", "fixed_cost_usd") == {"writer": 9.6, "planner": 2.4}
    assert by(by_model, "model", "fixed_cost_usd") == {"gpt-4o": 0, "llama-3.1-8b": 12}


def test_groups_come_dearest_first_by_calls_and_clock_together(team):
    team.configure(GPU)

    found = document(team, "--by", "model", "--since", "today")

    assert [group["model"] for group in found["groups"]] == ["llama-3.1-8b", "gpt-4o"]
    assert [group["share"] for group in found["groups"]] == [0, 1]


def test_a_call_and_a_user_cost_so_much_without_fixed_costs_and_so_much_with_them(team):
    team.configure(MONITORING)

    total = document(team, "--since", "today")["total"]

    assert (total["calls"], total["users"]) == (3, 2)
    assert (total["cost_per_call_usd"], total["total_cost_per_call_usd"]) == (1, 1.1)
    assert (total["cost_per_user_usd"], total["total_cost_per_user_usd"]) == (1.5, 1.65)


def test_what_a_call_costs_in_all_is_not_known_where_its_own_cost_is_not(shell):
    shell.configure(MONITORING)
    shell.spend(None, model="home-grown")

    found = document(shell)

    assert found["total"]["total_cost_per_call_usd"] is None
    assert found["total"]["total_cost_per_user_usd"] is None


def test_a_time_without_calls_still_costs(shell):
    shell.configure(MONITORING)

    result = shell.run("report", "--since", "today")

    assert "(unallocated)" in result.stdout
    assert document(shell, "--since", "today")["unallocated_usd"] == 0.3


def test_nothing_falls_due_after_now(team):
    team.configure(MONITORING)

    found = document(team, "--since", "today", "--until", "2027-01-01")

    assert found["total"]["fixed_cost_usd"] == 0.3


@pytest.mark.parametrize("dates", ["from = 2026-11-23", "until = 2026-11-22"])
def test_what_was_not_due_in_that_time_is_not_mentioned(team, dates):
    before = team.run("report", "--since", "today").stdout
    team.configure(MONITORING + dates)

    assert team.run("report", "--since", "today").stdout == before


@pytest.mark.parametrize("groups", ["agent", "day", "agent,day", "user,model", "status", "month"])
def test_rows_of_csv_add_up_to_all_costs(team, groups):
    team.configure(MONITORING + GPU)

    result = team.run("report", "--by", groups, "--since", "2026-11-19", "--csv")

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert rows[-1][groups.partition(",")[0]] == "(unallocated)"
    for figure, usd in (("cost_usd", "4.5"), ("fixed_cost_usd", "86.1"), ("total_cost_usd", "90.6")):
        assert sum(Decimal(row[figure]) for row in rows) == Decimal(usd)


def test_days_come_in_their_order_with_what_each_bears(team):
    team.configure(MONITORING)

    found = document(team, "--by", "day", "--since", "2026-11-20")

    assert [(day["day"], day["fixed_cost_usd"]) for day in found["groups"]] == [
        ("2026-11-20", 0.6),
        ("2026-11-22", 0.3),
    ]


def test_parts_of_a_nano_go_somewhere(shell):
    """Three calls share a hundred nano-USD a day."""
    shell.configure('[[fixed_cost]]\nname = "x"\nper_day = 0.0000001')
    for agent in ("a", "b", "c"):
        shell.spend("1", agent=agent, at=MIDNIGHT - timedelta(hours=1))

    found = document(shell, "--since", "2026-11-21", "--until", "2026-11-22")

    assert by(found, "agent", "fixed_cost_usd") == {"a": 3.4e-08, "b": 3.3e-08, "c": 3.3e-08}


def test_the_page_on_fixed_costs_shows_what_the_command_prints(shell):
    toml, table = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[1] for kind in ("toml", "text"))
    shell.configure(toml)
    yesterday = MIDNIGHT - timedelta(hours=9)
    for agent, model, usd, tokens in (
        ("triage", "mistral-7b", "0", {"input_tokens": 900, "output_tokens": 150}),
        ("triage", "mistral-7b", "0", {"input_tokens": 900, "output_tokens": 150}),
        ("triage", "gpt-4o", "0.75", {"input_tokens": 220_000, "output_tokens": 20_000}),
        ("writer", "mistral-7b", "0", {"input_tokens": 500, "output_tokens": 200}),
        ("writer", "gpt-4o", "2.25", {"input_tokens": 700_000, "output_tokens": 50_000}),
    ):
        shell.spend(usd, agent=agent, user=agent, model=model, usage=tokens, at=yesterday)

    result = shell.run("report", "--since", "2026-11-21", "--until", "2026-11-22")

    assert "\n".join(line.rstrip() for line in result.stdout.splitlines()).rstrip() == table.rstrip()
