"""The demo's screen: fits the terminal, and says what is going on."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from examples.demo.lines import Lines
from examples.demo.screen import ALL_REFUSED, MOST_NEWS, REFUSED, TOLD, WORKS, Screen, bar, story
from examples.demo.watch import Snapshot
from tests.examples.demo.scenes import NAMES, TEAM, USER, scene, standing

ADA = standing(USER, "user=ada", refused=3)
LIN = standing(USER, "user=lin", spent=600_000, refused=0)
CALM = standing(refused=0)


def drawn(snapshot: Snapshot, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(Screen(snapshot))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (96, 30), (110, 30), (200, 60)])
def test_the_screen_fits_the_terminal_and_cuts_nothing(width: int, height: int) -> None:
    full = scene(
        standings=[standing(), ADA, LIN, standing(replace(TEAM, name="writer-daily", on_limit="alert"), refused=0)],
        webhooks=[replace(each, budget="user-daily", subject="user=ada") for each in scene().webhooks] * 5,
        refused=scene().refused * 20,
    )

    lines = drawn(full, width, height)

    assert len(lines) < height
    assert "…" not in "".join(lines)
    assert any(line.endswith("critical  only tells") for line in lines)
    assert sum("needs $0.000210" in line for line in lines) in range(2, MOST_NEWS + 1)


def test_an_empty_ledger_can_be_drawn() -> None:
    nothing = scene(standings=[], totals={by: [] for by in NAMES}, webhooks=[], refused=[], requests=None)

    assert "CALLS   0 in the ledger   0 refused before sending" in drawn(nothing, 80, 24)


@pytest.mark.parametrize(
    ("share", "drawing"),
    [
        ("0", "─────┼─┼──"),
        ("0.49", "━━━━━┼─┼──"),
        ("0.61", "━━━━━╋─┼──"),
        ("0.8", "━━━━━╋━╋──"),
        ("1", "━━━━━╋━╋━━"),
        ("7", "━━━━━╋━╋━━"),
    ],
)
def test_a_bar_is_filled_by_the_share_and_shows_the_marks(share: str, drawing: str) -> None:
    spent = int(Decimal(share) * TEAM.limit_nano)

    assert bar(standing(spent=spent), 10).plain == drawing


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        pytest.param(scene(standings=[CALM, LIN], webhooks=[]), WORKS, id="nothing-yet"),
        pytest.param(scene(standings=[CALM, LIN]), TOLD, id="a-mark"),
        pytest.param(scene(standings=[CALM, ADA, LIN]), REFUSED, id="ada-refused"),
        pytest.param(scene(standings=[standing(), ADA, LIN]), ALL_REFUSED, id="all-refused"),
    ],
)
def test_one_sentence_says_what_is_going_on(snapshot: Snapshot, said: str) -> None:
    assert story(snapshot) == said


@pytest.mark.parametrize(
    ("spent", "refused", "level"),
    [(0, 0, "ok"), (5_000_000, 0, "warning"), (9_900_000, 0, "critical"), (9_900_000, 1, "exceeded")],
)
def test_a_refusal_exceeds_a_budget_that_never_spends_its_last_cents(spent: int, refused: int, level: str) -> None:
    assert standing(spent=spent, refused=refused).level == level


def test_without_a_terminal_each_thing_is_said_once() -> None:
    console = Console(file=io.StringIO(), width=120)
    lines = Lines(console)
    for seconds, told in ((1.0, 1), (2.0, 2), (3.0, 3), (11.5, 3)):
        lines.show(scene(seconds=seconds, webhooks=scene().webhooks[:told]))

    assert isinstance(console.file, io.StringIO)
    said = [line.split()[0:4] for line in console.file.getvalue().splitlines()]
    assert [words for words in said if words[0] == "webhook"] == [["webhook", "12", "s", "✔"]] * 3
    assert [words for words in said if words[0] == "refused"] == [["refused", "50", "s", "t-1"]]
    assert [words for words in said if words[2] == "CALLS"] == [["1", "s", "CALLS", "30"], ["12", "s", "CALLS", "30"]]
