"""What is shown at the end: the receipt, what Prometheus reads, whether it is all true, and where to look next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from examples.demo.prometheus import BY_AGENT, SHOWN, Readings, Sample
from examples.demo.proof import Check, Item, total_usd
from examples.demo.screen import grid, titled
from examples.demo.stage import ROOT

_NEXT = (
    ("otel-llmcost report --by agent,model", "what was spent, by whatever you like"),
    ("otel-llmcost budgets list", "each balance, and how its window will end"),
    ("otel-llmcost alerts list", "what was delivered, and to whom"),
    ("otel-llmcost doctor", "whether all is set up right"),
)
_STACK = ("docker-compose up", "Prometheus, Alertmanager, and Grafana with the dashboards")


def bill(items: Sequence[Item]) -> Iterator[RenderableType]:
    """Draw the receipt."""
    yield titled("RECEIPT", "what the provider counted, times its price per million tokens")
    heads = ("model", "calls", "input", "output", "$/1M in", "$/1M out", "cost")
    rows = [
        (
            item.model,
            f"{item.requests:,}",
            f"{item.input_tokens:,}",
            f"{item.output_tokens:,}",
            _price(item.input_price),
            _price(item.output_price),
            f"${item.cost_usd:.9f}",
        )
        for item in items
    ]
    total = ["", f"{sum(item.requests for item in items):,}", *[""] * 4, f"${total_usd(items):.9f}"]
    yield _indented(grid([_styled(heads, "bright_black"), *rows, _styled(total, "bold")], "lrrrrrr"))


def metrics(url: str, readings: Readings) -> Iterator[RenderableType]:
    """Draw some of the metrics, and what Prometheus makes of them."""
    yield titled("METRICS", f"as Prometheus reads them at {url}")
    for name in SHOWN:
        yield from (_indented(_number(sample)) for sample in readings.team if sample.name == name)
    if readings.prometheus is None:
        yield _indented(Text("No `prometheus` is on the PATH, or it would be asked here.", style="bright_black"))
    else:
        yield ""
        yield titled("PROMETHEUS", f"asked for {BY_AGENT}")
        named = ([sample.labels.get("gen_ai_agent_name", ""), f"{sample.value:g}"] for sample in readings.prometheus)
        yield _indented(grid(named, "lr"))


def verdict(found: Sequence[Check]) -> Iterator[RenderableType]:
    """Draw what was checked."""
    yield titled("CHECKED", "what was shown, held against what others counted")
    for check in found:
        sign = Text("✔ ", style="green") if check.holds else Text("✘ ", style="bold red")
        yield _indented(Text.assemble(sign, (check.claim, "" if check.holds else "bold red")))


def trouble(log: Path, most: int) -> Iterator[RenderableType]:
    """Show the last that the team printed."""
    yield titled("THE TEAM'S LAST LINES", str(log))
    for line in log.read_text(errors="replace").splitlines()[-most:]:
        yield _indented(Text(line))


def hints(folder: Path) -> Iterator[RenderableType]:
    """Say where to look next."""
    yield titled("LOOK FURTHER", "this run's ledger stays in that folder")
    more = [_STACK] if (ROOT / "docker-compose.yml").exists() else []
    rows = [(f". {folder}/env", "first: names this run's ledger and budgets"), *_NEXT, *more]
    drawn = grid(((Text(command, style="bold"), Text(what, style="bright_black")) for command, what in rows), "ll")
    drawn.columns[1].no_wrap = False  # so that the commands stay whole
    yield _indented(drawn)


def _price(usd: Decimal) -> str:
    """Show a price with all of its digits, two at least."""
    digits = max(2, -int(usd.normalize().as_tuple().exponent))
    return f"{usd:.{digits}f}" if usd else ""


def _number(sample: Sample) -> Text:
    return Text.assemble(f"{sample} ", (f"{sample.value:g}", "bold"))


def _styled(cells: Iterable[str], style: str) -> list[Text]:
    return [Text(cell, style=style) for cell in cells]


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2))
