"""The command as it is really wired: files, environment, exit codes, errors."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest


def test_it_works_on_a_machine_that_has_nothing_yet(real, tmp_path):
    result = real("report")

    assert result.exit_code == 0
    assert "No calls between" in result.stdout
    assert (tmp_path / ".local" / "state" / "otel-llmcost" / "ledger.db").exists()


def test_the_store_of_an_option_wins_over_the_settings(real, tmp_path):
    (tmp_path / "llmcost.toml").write_text('store = "sqlite:///nowhere/ledger.db"')

    result = real("--store", f"sqlite://{tmp_path}/my.db", "report")

    assert result.exit_code == 0
    assert (tmp_path / "my.db").exists()


def test_another_file_of_settings_may_be_named(real, tmp_path):
    (tmp_path / "my.toml").write_text('[[budget]]\nname = "mine"\nlimit = 1\nwindow = "day"')

    found = json.loads(real("--config", "my.toml", "budgets", "list", "--json").stdout)

    assert [each["budget"] for each in found["balances"]] == ["mine"]


def test_prices_of_ones_own_are_laid_over_the_book(real, tmp_path):
    (tmp_path / "llmcost.toml").write_text('[[price]]\nmodel = "home-grown"\ninput = 1\noutput = 2')

    arguments = ["home-grown", "--input-tokens", "1000000", "--output-tokens", "1000000", "--json"]
    found = json.loads(real("estimate", *arguments).stdout)

    assert found["cost_usd"] == 3.0


@pytest.mark.parametrize("command", [["report"], ["budgets", "reset", "b", "--yes"], ["alerts", "list"]])
def test_a_store_that_cannot_be_opened_is_one_line_of_error(real, tmp_path, command):
    (tmp_path / "file").touch()
    (tmp_path / "llmcost.toml").write_text(
        f'store = "sqlite://{tmp_path}/file/ledger.db"\n[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"'
    )

    result = real(*command)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_store_nobody_knows_is_one_line_of_error(real):
    result = real("--store", "mysql://localhost", "report")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: store: ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["--store", "ledger.db", "report"], 'Invalid value for --store: found "ledger.db"', id="store"),
        pytest.param(["--config", "my.toml", "report"], "File 'my.toml' does not exist", id="config"),
    ],
)
def test_a_wrong_option_is_refused_where_a_wrong_variable_is_passed_over(real, arguments, problem):
    result = real(*arguments)

    assert result.exit_code == 2
    assert problem in result.stderr


def test_problems_of_the_settings_are_hinted_at_by_every_command(real, tmp_path):
    (tmp_path / "llmcost.toml").write_text('spans = "all"')

    report, check = real("report"), real("config", "check")

    assert report.exit_code == 0
    assert report.stderr == "1 problem(s) in the settings: see `otel-llmcost config check`\n"
    assert (check.exit_code, check.stderr) == (1, "")
    assert check.stdout.splitlines() == [
        (
            f'{tmp_path}/llmcost.toml:1: spans: found "all"; it is taken as if left out '
            '(expected "auto", "own", "enrich" or "off")'
        ),
        f"{tmp_path}/llmcost.toml: problems: 1, budgets: 0, limits: 0, channels: 0, prices: 0, fixed costs: 0",
    ]


def test_settings_without_a_problem_are_said_to_be_so(real):
    result = real("config", "check", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "file": None,
        "problems": [],
        "notices": [],
        "budgets": 0,
        "limits": 0,
        "channels": 0,
        "prices": 0,
        "fixed_costs": 0,
    }


def test_a_damaged_price_book_is_one_line_of_error(real, tmp_path):
    folder = tmp_path / ".local" / "state" / "otel-llmcost"
    folder.mkdir(parents=True)
    (folder / "prices.json").write_text("{}")

    result = real("prices", "list")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {folder}/prices.json: not a price book")
    assert real("doctor").exit_code == 1


@pytest.mark.parametrize("arguments", [["reprot"], ["report", "--yesterday"], ["budgets"], []])
def test_wrong_use_exits_with_2(real, arguments):
    assert real(*arguments).exit_code == 2


def test_the_installed_command_says_its_version():
    done = subprocess.run(
        [sys.executable, "-c", "from otel_llmcost.cli.main import main; main()", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"otel-llmcost, version {version('otel-llmcost')}\n"
