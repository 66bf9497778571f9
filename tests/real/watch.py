"""The project's own configuration of Prometheus and Alertmanager, running, with other addresses and shorter times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.real.servers import alertmanager, prometheus

COLLECTOR = Path(__file__).parents[2] / "collector"
SCRAPE_SECONDS = 1


@contextmanager
def watched(folder: Path, scrapes: Sequence[Mapping[str, Any]], webhook: str) -> Iterator[str]:
    """Scrape and watch every second, tell a webhook at once, and give Prometheus' address."""
    with alertmanager(folder, _routes(folder, webhook)) as address:
        scraping = _read("prometheus", "prometheus.yml")
        scraping["global"] = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "1s"}
        scraping["rule_files"] = [str(_rules(folder))]
        scraping["scrape_configs"] = list(scrapes)
        scraping["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [address.removeprefix("http://")]
        with prometheus(folder, _write(folder / "prometheus.yml", scraping)) as url:
            yield url


def _routes(folder: Path, webhook: str) -> Path:
    routes = _read("alertmanager", "alertmanager.yml")
    routes["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    routes["receivers"][0]["webhook_configs"][0]["url"] = webhook
    return _write(folder / "alertmanager.yml", routes)


def _rules(folder: Path) -> Path:
    """All groups are evaluated as often as the rest."""
    rules = _read("prometheus", "rules.yml")
    for group in rules["groups"]:
        group.pop("interval", None)
    return _write(folder / "rules.yml", rules)


def _read(program: str, name: str) -> dict[str, Any]:
    return yaml.safe_load((COLLECTOR / program / name).read_text("utf-8"))


def _write(path: Path, config: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(config), width=10_000), "utf-8")
    return path
