"""What a budget does at its marks is read with all that was said of it, or said to be wrong and not enforced."""

from decimal import Decimal
from pathlib import Path

import pytest

from otel_llmcost.config import Settings, load
from otel_llmcost.core.actions import Action
from otel_llmcost.core.attribution import Scope

BUDGET = '[[budget]]\nname = "b"\nlimit = 1\nwindow = "day"\n'


def read(folder: Path, line: str, budget: str = BUDGET) -> Settings:
    (folder / "llmcost.toml").write_text(budget + line)
    return load({}, cwd=folder, home=folder / "home")


def test_actions_come_in_rising_order_of_share_with_all_that_was_said(tmp_path):
    (budget,) = read(
        tmp_path,
        """
        actions = [
          { at = "exceeded", refuse = true },
          { at = "critical", pause = { agent = ["batch-*", "reporter"] } },
          { at = 0.8, cap = 500 },
          { at = "warning", route = { "claude-opus-*" = "claude-haiku-4-5" } },
        ]
        """,
    ).budgets

    assert budget.actions == (
        Action(share=Decimal("0.75"), level="warning", route={"claude-opus-*": "claude-haiku-4-5"}),
        Action(share=Decimal("0.8"), level="80%", cap=500),
        Action(share=Decimal("0.95"), level="critical", pause=Scope({"agent": ("batch-*", "reporter")})),
        Action(share=Decimal("1.0"), level="exceeded", pause=Scope()),
    )


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        pytest.param("actions = 3", "actions", "found 3", id="no-list"),
        pytest.param("actions = [3]", "actions[0]", "found 3", id="no-table"),
        pytest.param("actions = [{ cap = 5 }]", "actions[0]", "`at` is missing", id="no-at"),
        pytest.param("actions = [{ at = 0.5 }]", "actions[0]", "says nothing to do", id="nothing"),
        pytest.param("actions = [{ at = 0.5, cap = 5, refuse = true }]", "actions[0]", "says cap and refuse", id="two"),
        pytest.param("actions = [{ at = 0.5, stop = 5 }]", "actions[0].stop", 'no key is called "stop"', id="key"),
        pytest.param('actions = [{ at = "critcal", cap = 5 }]', "actions[0].at", 'perhaps "critical"', id="mark"),
        pytest.param("actions = [{ at = 80, cap = 5 }]", "actions[0].at", "found 80", id="a-percentage"),
        pytest.param("actions = [{ at = 0.5, cap = 0 }]", "actions[0].cap", "found 0", id="a-cap-of-nothing"),
        pytest.param("actions = [{ at = 0.5, route = {} }]", "actions[0].route", "found a table", id="no-route"),
        pytest.param("actions = [{ at = 0.5, route = 4 }]", "actions[0].route", "found 4", id="a-number-for-route"),
        pytest.param('actions = [{ at = 0.5, route = { "a*" = 3 } }]', "route.a*", "found 3", id="no-model"),
        pytest.param("actions = [{ at = 0.5, pause = {} }]", "actions[0].pause", "refuse = true", id="pause-all"),
        pytest.param("actions = [{ at = 0.5, pause = { who = 'x' } }]", "pause.who", "no dimension", id="dimension"),
        pytest.param("actions = [{ at = 0.5, refuse = false }]", "actions[0].refuse", "found false", id="not-refused"),
    ],
)
def test_an_action_that_cannot_be_read_is_told_by_its_place(tmp_path, line, key, said):
    settings = read(tmp_path, line)

    (problem,) = settings.problems
    assert key in problem.key, problem.key
    assert said in str(problem)
    assert "this budget is not enforced" in str(problem)
    assert settings.budgets == ()


@pytest.mark.parametrize(
    ("line", "most"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("carry_over = false", None, id="off"),
        pytest.param("carry_over = true", Decimal(1), id="as-much-as-the-limit"),
        pytest.param("carry_over = 0.25", Decimal("0.25"), id="an-amount"),
    ],
)
def test_what_a_window_leaves_over_may_be_carried_over(tmp_path, line, most):
    (budget,) = read(tmp_path, line).budgets

    assert budget.carry_over == most


@pytest.mark.parametrize("window", ["24h", "session"])
def test_nothing_is_carried_over_of_a_window_that_has_no_next_one(tmp_path, window):
    settings = read(tmp_path, "carry_over = true", BUDGET.replace("day", window))

    (problem,) = settings.problems
    assert f'nothing is left over of the window "{window}"' in str(problem)
