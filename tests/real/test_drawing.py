"""Every board, drawn with Grafana's own components."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.real.boards import load_boards
from tests.real.drawing import Picture, build, draw
from tests.real.fleet import NOW, TICK

pytestmark = pytest.mark.real

BOARDS = load_boards()
PICTURES = Path(__file__).parents[2] / "var" / "boards"
FULL_BUDGET = {"budget": "team-daily", "subject": "team=customer-support"}
"""The budget of the fleet that has refused calls and sent alerts, so that no panel is empty."""


@pytest.fixture(scope="module")
def pictures(fleet_prometheus: str) -> Mapping[str, Picture]:
    """Draw all boards once; they lie in var/boards for people to look at."""
    build()
    return draw(BOARDS, fleet_prometheus, PICTURES, now=NOW, scrape_seconds=TICK, choice=FULL_BUDGET)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_drawn_without_an_error_or_an_empty_panel(name: str, pictures: Mapping[str, Picture]) -> None:
    """Grafana's components take the board's options, transformations, units and colours, and have something to show."""
    picture = pictures[name]

    assert picture.complaints == []
    assert [panel for panel in picture.panels if panel.get("error") or 0 in panel["series"]] == []
    assert picture.png.stat().st_size > 20_000


def test_boards_are_drawn_in_light_too(fleet_prometheus: str, pictures: Mapping[str, Picture]) -> None:
    """Nobody chooses a colour that only shows on black."""
    light = draw(BOARDS, fleet_prometheus, PICTURES / "light", now=NOW, scrape_seconds=TICK, theme="light")

    assert [picture.complaints for picture in light.values()] == [[]] * len(pictures)
