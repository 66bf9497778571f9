"""The metrics as Prometheus reads them: the text that the team serves, and what Prometheus makes of it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from examples.demo.stage import end, free_port

COST = "llmcost_cost_USD_total"
BY_AGENT = f"sum by (gen_ai_agent_name) ({COST})"
SHOWN: Mapping[str, Sequence[str]] = {
    COST: ("gen_ai_agent_name", "gen_ai_request_model"),
    "llmcost_budget_utilization_ratio": ("llmcost_budget_name", "llmcost_budget_subject"),
    "llmcost_requests_refused_total": ("llmcost_budget_name", "gen_ai_agent_name"),
}
"""The metrics that are shown, with the labels that are; all have more of both."""
_SCRAPE_SECONDS = 1
_PATIENCE_SECONDS = 2.0
_NANO_PER_USD = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A number with its name and labels."""

    name: str
    labels: Mapping[str, str]
    value: float

    def __str__(self) -> str:
        shown = SHOWN.get(self.name, tuple(self.labels))
        pairs = [f'{label}="{self.labels[label]}"' for label in shown if self.labels.get(label)]
        return f"{self.name}{{{','.join(pairs)},…}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What was read of what calls cost."""

    team: Sequence[Sample]
    """All metrics of the team."""
    prometheus: Sequence[Sample] | None
    """Its answer; None: there is no Prometheus here."""

    def say(self, nano: int) -> bool:
        """Tell whether all of them add up to an amount."""
        return all(total_nano(each) == nano for each in (self.team, self.prometheus) if each is not None)


def scrape(url: str) -> list[Sample]:
    """Read the team's metrics; none while it starts or after it ended."""
    text = _get(url)
    families = text_string_to_metric_families("" if text is None else text.decode())
    return [Sample(each.name, each.labels, each.value) for family in families for each in family.samples]


def total_nano(samples: Sequence[Sample]) -> int:
    """Add up what calls cost; whole nano-USD, each of which a float of these sizes holds exactly."""
    return sum(round(Decimal(str(each.value)) * _NANO_PER_USD) for each in samples if each.name in ("", COST))


class Prometheus:
    """A Prometheus of this machine, scraping the team."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[Sample]:
        """Ask its HTTP API for the present value; nothing while it starts or has nothing yet."""
        answer = _get(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        found = [] if answer is None else json.loads(answer)["data"]["result"]
        return [Sample(each["metric"].pop("__name__", ""), each["metric"], float(each["value"][1])) for each in found]


@contextmanager
def prometheus(folder: Path, metrics_url: str) -> Iterator[Prometheus | None]:
    """Start Prometheus, if there is one on the PATH, and end it."""
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    address, config = f"127.0.0.1:{free_port()}", folder / "prometheus.yml"
    target = urllib.parse.urlsplit(metrics_url).netloc
    config.write_text(
        f"global: {{scrape_interval: {_SCRAPE_SECONDS}s}}\n"
        f"scrape_configs: [{{job_name: agents, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    options = {"config.file": config, "storage.tsdb.path": folder / "prometheus", "web.listen-address": address}
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *(f"--{name}={value}" for name, value in options.items())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches it through us alone, and once
        )
    try:
        yield Prometheus(f"http://{address}")
    finally:
        end(process, signal.SIGTERM)


def _get(url: str) -> bytes | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine needs no proxy
    try:
        with opener.open(url, timeout=_PATIENCE_SECONDS) as answer:
            body: bytes = answer.read()
            return body
    except OSError:  # nobody listens yet, or an HTTP error: not ready
        return None
