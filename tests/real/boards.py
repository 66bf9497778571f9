"""Checks a board on a real Prometheus against what really happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.real.expected import EXPECTED
from tests.real.grafana import Json, ask, view_of
from tests.real.truth import Truth

FOLDER = Path(__file__).parents[2] / "dashboards"


def load_boards() -> dict[str, Json]:
    """Return all boards, as committed, by the name of their file."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def check_board(
    board: Json,
    prometheus_url: str,
    truth: Truth,
    *,
    now: float,
    seconds: float | None = None,
    scrape_seconds: int = 15,
    choice: Mapping[str, str] | None = None,
) -> None:
    """Run every query of every panel, and demand what the truth says: money to six digits.

    Args:
        board: the JSON of a dashboard.
        prometheus_url: of a Prometheus that has scraped what happened.
        truth: what happened; an instant is when Prometheus could first know of it.
        now: seconds since 1970 that Grafana would take for now.
        seconds: the time range; None: as the board opens.
        scrape_seconds: between two scrapes.
        choice: values of variables; All of the others is chosen, or their first value.
    """
    asked = 0
    for answer in ask(board, prometheus_url, view_of(board, now, scrape_seconds, seconds), choice):
        EXPECTED[board["uid"], answer.panel][ord(answer.ref_id) - ord("A")](answer, truth)
        asked += 1
    known = sum(len(checks) for (uid, _), checks in EXPECTED.items() if uid == board["uid"])
    assert asked == known, f"{board['title']}: {asked} queries, {known} expectations"
