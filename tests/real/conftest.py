"""A real Prometheus that knows the fleet's sixteen days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.fleet import History, history
from tests.real.openmetrics import write
from tests.real.servers import prometheus, run


@pytest.fixture(scope="session")
def fleet() -> History:
    """What happened."""
    return history()


@pytest.fixture(scope="session")
def fleet_prometheus(fleet: History, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scraped it."""
    folder = tmp_path_factory.mktemp("fleet")
    scrapes, config = folder / "scrapes.txt", folder / "prometheus.yml"
    config.write_text("global: {}\n")
    write(fleet, scrapes)
    import_scrapes(scrapes, folder / "tsdb")
    scrapes.unlink()
    with prometheus(folder, config) as url:
        yield url


def import_scrapes(scrapes: Path, storage: Path) -> None:
    """Let promtool make Prometheus' storage of a text."""
    # One block for all: by default promtool reads the whole text again for every two hours in it.
    run(
        "promtool",
        "tsdb",
        "create-blocks-from",
        "--max-block-duration=2160h",
        "openmetrics",
        str(scrapes),
        str(storage),
    )
