"""Draws boards with Grafana's own components, in headless Chromium."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real.grafana import Json, chosen, view_of
from tests.real.servers import program, run

FOLDER = Path(__file__).parent / "render"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What became of a board."""

    png: Path
    panels: Sequence[dict[str, Any]]
    """title, type, number of series of each target, and the error if there was one."""
    complaints: Sequence[str]
    """What the browser did not like."""


def build() -> None:
    """Install the pinned packages, unless they are there, and bundle the page."""
    installed, wanted = FOLDER / "node_modules" / ".package-lock.json", FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        run("npm", "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", cwd=FOLDER, timeout=300)
    run("node", "build.mjs", cwd=FOLDER)


def draw(
    boards: Mapping[str, Json],
    prometheus_url: str,
    folder: Path,
    *,
    now: float,
    scrape_seconds: int,
    theme: str = "dark",
    choice: Mapping[str, str] | None = None,
) -> dict[str, Picture]:
    """Draw boards as they open, into one PNG each, by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        {
            "board": board,
            "prometheus": prometheus_url,
            "now": now,
            "scrapeSeconds": scrape_seconds,
            "variables": chosen(board, prometheus_url, view_of(board, now, scrape_seconds), choice),
            "theme": theme,
            "png": str(folder / f"{name}.png"),
        }
        for name, board in boards.items()
    ]
    done = subprocess.run(
        [program("node"), "draw.mjs"],
        cwd=FOLDER,
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    return {
        name: Picture(png=Path(result["png"]), panels=result["panels"], complaints=result["complaints"])
        for name, result in zip(boards, results, strict=True)
    }
