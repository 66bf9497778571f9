"""All boards, by the name of their file."""

from __future__ import annotations

import json

from dashboards.builder.board import Board
from dashboards.builder.budget_status import BUDGET_STATUS
from dashboards.builder.by_agent import BY_AGENT
from dashboards.builder.by_model import BY_MODEL
from dashboards.builder.collector import COLLECTOR
from dashboards.builder.daily_trend import DAILY_TREND
from dashboards.builder.limits import LIMITS
from dashboards.builder.overview import OVERVIEW

BOARDS = {
    "overview": OVERVIEW,
    "daily-trend": DAILY_TREND,
    "by-agent": BY_AGENT,
    "by-model": BY_MODEL,
    "budget-status": BUDGET_STATUS,
    "limits": LIMITS,
    "collector": COLLECTOR,
}


def as_json(board: Board) -> str:
    """Return a board as the text of its file."""
    return json.dumps(board.render(), indent=2, ensure_ascii=False) + "\n"
