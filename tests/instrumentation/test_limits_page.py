"""What docs/limits.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.provider_server import ProviderServer
from otel_llmcost.config.limits import limits
from otel_llmcost.config.reader import Notes
from otel_llmcost.telemetry import semconv
from tests.test_docs import ROOT, blocks, run, shown

PAGE = (ROOT / "docs" / "limits.md").read_text()


def masked(text: str) -> list[str]:
    """Leave out what depends on the time of day."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "(date)", text)
    text = re.sub(r"again in [\d.]+ s", "again in (seconds)", text)
    return [re.sub(r"100\.0 % +\d+ ", "100.0 % (projected) ", line) for line in shown(text)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "llmcost.toml").write_text(blocks("toml", PAGE)[0])
    (tmp_path / "program.py").write_text(blocks("python", PAGE)[0])
    return tmp_path


def test_the_program_prints_what_the_page_says(folder: Path, server: ProviderServer) -> None:
    """And the command shows the balance that it shows."""
    said, balance = blocks("text", PAGE)
    none = "opentelemetry-instrument --traces_exporter none --metrics_exporter none --logs_exporter none"

    printed = run(f"{none} python program.py", server, folder)
    table = run(blocks("sh", PAGE)[0], server, folder)

    assert len(server.requests) == 2
    assert masked(said)[0] in masked(printed)
    assert masked(table) == masked(balance)


def test_every_key_of_a_limit_is_explained() -> None:
    """The table has all that the settings know."""
    (table,) = re.findall(r"^\| key \|.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    explained = {key for row in table.strip().splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    notes = Notes()

    assert list(limits({"limit": [{"cost": 1, "nothing": 1}]}, notes)) == []

    expected = next(problem.expected for problem in notes.problems if problem.key == "limit[0].nothing")
    assert set(re.findall(r'"(\w+)"', expected)) == explained


def test_every_metric_that_is_named_is_one() -> None:
    """Names are those that we emit."""
    assert set(re.findall(r"^\| `(llmcost\.[\w.]+)`", PAGE, re.MULTILINE)) == {
        semconv.LIMIT_UTILIZATION,
        semconv.LIMIT_WAIT,
        semconv.REFUSED,
    }
