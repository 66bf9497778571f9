"""`explain` says why a time cost more than the one before it."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from inline_snapshot import snapshot

from otel_llmcost.cli.reasons import reason
from otel_llmcost.core.explain import Part
from tests.cli.conftest import NOW, Shell


def work(shell: Shell, ago: int, calls: int, *, size: int = 1000, agent: str = "writer", model: str = "gpt-4o") -> None:
    """Book calls of a day, at the model's list price."""
    for _ in range(calls):
        input_usd, output_usd = {"gpt-4o": ("2.50", "10"), "gpt-4o-mini": ("0.15", "0.60")}[model]
        usd = (size * Decimal(input_usd) + 200 * Decimal(output_usd)) / 1000
        usage = {"input_tokens": size, "output_tokens": 200}
        shell.spend(f"{usd:f}", agent=agent, team="support", model=model, usage=usage, at=NOW - timedelta(days=ago))


@pytest.fixture
def spike(shell: Shell) -> Shell:
    """Last week a scraper came, the writer sent thrice as much, and the planner took a dearer model."""
    for ago in range(8, 15):
        work(shell, ago, 2)
        work(shell, ago, 4, agent="planner", model="gpt-4o-mini")
        work(shell, ago, 1, agent="old")
    for ago in range(1, 8):
        work(shell, ago, 2, size=3000)
        work(shell, ago, 3, agent="planner", model="gpt-4o-mini")
        work(shell, ago, 1, agent="planner")
        work(shell, ago, 5, agent="scraper")
    shell.spend(None, agent="scraper", model="home-grown")
    return shell


def test_the_causes_are_told_largest_first_and_add_up(spike):
    result = spike.run("explain")

    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()] == snapshot(
        [
            "2026-11-15 12:00 to 2026-11-22 12:00 against 2026-11-08 12:00 to 2026-11-15 12:00, UTC",
            "",
            " cause                    change  most of it",
            " ───────────────────────────────────────────────────────────────",
            " new agents             +$157.50  +$157.50 agent scraper",
            " agents that are gone    -$31.50  -$31.50 agent old",
            " mix of models           +$29.61  +$29.61 agent planner",
            " input tokens per call   +$70.00  +$70.00 agent writer on gpt-4o",
            "",
            " change                 +$225.61  from $102.06 to $327.67",
            "",
            "Cost rose by $225.61 (+221%), from $102.06 to $327.67.",
            "+$157.50: agent scraper is new (calls: 36).",
            "+$70.00: agent writer on gpt-4o sent more with each call, 3,000 after 1,000 input tokens.",
            "-$31.50: agent old made no calls any more (before: 7).",
            "+$29.61: agent planner moved to other models, gpt-4o answered 25% of its calls after 0%.",
            "Calls without a price are not in these amounts: 1, in the time before 0.",
        ]
    )


def test_json_holds_every_part(spike):
    found = json.loads(spike.run("explain", "--json").stdout)

    assert sum(Decimal(str(part["change_usd"])) for part in found["parts"]) == Decimal(str(found["change_usd"]))
    assert found["causes"] == snapshot({"new": 157.5, "gone": -31.5, "mix": 29.61, "input": 70.0})
    assert found["parts"][0] == snapshot(
        {"cause": "new", "agent": "scraper", "on_model": None, "change_usd": 157.5, "before": None, "after": 36}
    )


def test_two_times_of_any_length_are_compared(spike):
    result = spike.run("explain", "--from", "2026-11-21", "--to", "2026-11-22", "--against", "2026-11-08..2026-11-15")

    assert "The times are not equally long, in days: 1 against 7." in result.stdout
    assert result.stdout.startswith("2026-11-21 00:00 to 2026-11-22 00:00 against 2026-11-08 00:00 to 2026-11-15 00:00")


@pytest.mark.parametrize("by", ["team", "model", "provider"])
def test_causes_are_looked_for_in_any_dimension(spike, by):
    found = json.loads(spike.run("explain", "--by", by, "--json").stdout)

    assert {part["cause"] for part in found["parts"]} <= {"calls", "mix", "input", "output", "unpriced", "rest"}
    assert found["change_usd"] == 225.61


def test_a_fall_is_told_as_one(spike):
    """The same two times, the other way round."""
    arguments = ["--from", "2026-11-08", "--to", "2026-11-15", "--against", "2026-11-15..2026-11-22"]

    lines = spike.run("explain", *arguments).stdout.splitlines()

    assert any(line.startswith("Cost fell by $") for line in lines)
    assert any(line.endswith("agent scraper made no calls any more (before: 35).") for line in lines)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"calls": 4}, "agent writer made more calls, 4 after 2", id="calls"),
        pytest.param({"output": 20}, "was answered at less length, 20 after 200 output tokens per call", id="output"),
        pytest.param({"cached": 0}, "read 0% of its input from the cache after 50%", id="cache"),
        pytest.param({"status": "suspected"}, "made attempts whose end nobody saw", id="retries"),
        pytest.param({"usd": "3"}, "agent writer on gpt-4o paid otherwise", id="rest"),
    ],
)
def test_every_cause_has_a_sentence(shell, changes, said):
    def book(ago: int, calls: int = 2, *, output: int = 200, cached: int = 500, **facts: str) -> None:
        for _ in range(calls):
            usd = facts.pop("usd", None) or f"{(2.5 * (1000 - cached) + 1.25 * cached + 10 * output) / 1000:f}"
            usage = {"input_tokens": 1000, "cache_read_tokens": cached, "output_tokens": output}
            shell.spend(usd, agent="writer", usage=usage, at=NOW - timedelta(days=ago), **facts)

    book(8)
    book(1, **changes)

    assert said in shell.run("explain").stdout


@pytest.mark.parametrize(
    ("change", "after", "said"),
    [
        (5_000_000_000, 1.5, "+$5.00: tokens of gpt-4o became dearer by 50%."),
        (-5_000_000_000, 0.5, "-$5.00: tokens of gpt-4o became cheaper by 50%."),
        (5_000_000_000, None, "+$5.00: tokens of gpt-4o became dearer."),
    ],
)
def test_a_price_has_a_sentence(change, after, said):
    """How much dearer what was free has become, no share can say."""
    part = Part(cause="price", model="gpt-4o", change_nano=change, before=1.0, after=after)

    assert reason(part, "agent") == said


def test_a_price_that_became_known_is_told_as_such(shell):
    shell.spend(None, model="home-grown", at=NOW - timedelta(days=8))
    shell.spend("1", model="home-grown")

    lines = shell.run("explain").stdout.splitlines()

    assert "+$1.00: calls without agent on home-grown had no price in one of the times." in lines
    assert "Calls without a price are not in these amounts: 0, in the time before 1." in lines


def test_a_model_that_the_book_does_not_know_is_explained_too(shell):
    """Its provider said what it costs; tokens are weighted as is common."""
    for ago, size, usd in ((8, 1000, "0.5"), (1, 3000, "1.5")):
        usage = {"input_tokens": size, "output_tokens": 0}
        shell.spend(usd, model="home-grown", usage=usage, at=NOW - timedelta(days=ago))

    assert json.loads(shell.run("explain", "--json").stdout)["causes"] == {"input": 1.0}


def test_nothing_that_changed_is_said_in_a_sentence(shell):
    assert "Cost did not change: $0.00 in both times." in shell.run("explain").stdout


def test_what_cancels_out_is_still_told(shell):
    shell.spend("1", agent="old", at=NOW - timedelta(days=8))
    shell.spend("1", agent="new")

    lines = shell.run("explain").stdout.splitlines()

    assert "Cost stayed at $1.00, but not for the same reasons." in lines
    assert "+$1.00: agent new is new (calls: 1)." in lines


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--from", "2026-11-22", "--to", "2026-11-21"], id="ends-before-it-begins"),
        pytest.param(["--against", "2026-11-01"], id="no-end"),
        pytest.param(["--against", "..2026-11-01"], id="no-begin"),
        pytest.param(["--against", "2026-11-02..2026-11-01"], id="backwards"),
        pytest.param(["--by", "day"], id="no-dimension"),
        pytest.param(["--from", "yesterdy"], id="no-time"),
        pytest.param(["--from", "0001-01-02", "--to", "2026-01-01"], id="nothing-is-before"),
    ],
)
def test_wrong_use_exits_with_2(shell, arguments):
    result = shell.run("explain", *arguments)

    assert result.exit_code == 2
    assert "Traceback" not in result.output
