"""Write the dashboards as JSON, beside this package."""

from __future__ import annotations

from pathlib import Path

from dashboards.builder.boards import BOARDS, as_json

if __name__ == "__main__":
    folder = Path(__file__).parent.parent
    for name, board in BOARDS.items():
        (folder / f"{name}.json").write_text(as_json(board), encoding="utf-8")
