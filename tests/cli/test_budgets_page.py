"""What docs/budgets.md has people type does what it says there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.conftest import Shell

TEXT = (Path(__file__).parents[2] / "docs" / "budgets.md").read_text()
(TOML,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def test_every_command_of_the_page_runs(shell: Shell) -> None:
    shell.configure(TOML)

    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        result = shell.run(*arguments)

        assert program == "otel-llmcost"
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_every_key_of_a_budget_is_explained(shell: Shell) -> None:
    shell.configure('[[budget]]\nname = "b"\nnothing = 1\n')
    (problem,) = [str(each) for each in shell.settings.problems if "nothing" in str(each)]

    known = set(re.findall(r'"(\w+)"', problem.partition("expected")[2]))
    explained = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert explained == known
