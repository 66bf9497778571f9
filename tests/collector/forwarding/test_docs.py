"""What docs/collector-forwarding.md says is so."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from otel_llmcost_collector import self_metrics, settings
from otel_llmcost_collector.forwarding.answers import Failed, of_grpc, of_http
from otel_llmcost_collector.forwarding.endpoints import endpoint
from otel_llmcost_collector.forwarding.queued import PATIENCE_SECONDS
from otel_llmcost_collector.forwarding.spool import FILE_BYTES
from tests.test_docs import ROOT, blocks

PAGE = (ROOT / "docs" / "collector-forwarding.md").read_text()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
STATUSES = (*range(400, 432), *range(500, 512))


def rows(first: str) -> list[list[str]]:
    """Find the rows of the table that begins so."""
    (table,) = re.findall(rf"^\| {first} .*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


def test_the_settings_that_are_shown_can_be_used(tmp_path: Path) -> None:
    (shown,) = blocks("text", PAGE)
    (tmp_path / "collector.toml").write_text(shown)

    found = settings.load({"VENDOR_KEY": "secret"}, cwd=tmp_path, home=tmp_path)

    assert [endpoint(backend).port for backend in found.backends] == [443, 4317]
    assert [backend.is_optional for backend in found.backends] == [False, True]
    assert found.backends[1].headers == (("api-key", "secret"),)


def test_the_page_says_which_answers_are_tried_again() -> None:
    said = {
        code
        for answers, done in rows("answer")
        if done.startswith("sent again")
        for code in re.findall(r"\w+", answers)
    }

    again = {str(status) for status in STATUSES if isinstance(of_http(status, {}, b"", NOW), Failed)}
    codes = {code.name for code in grpc.StatusCode if isinstance(of_grpc(code.name, "", {}), Failed)}

    assert again | codes <= said
    assert {code for code in said if code.isdecimal()} == again
    assert {code for code in said if code.isupper()} == codes | {"RESOURCE_EXHAUSTED"}


def test_the_page_names_the_metrics_with_their_labels() -> None:
    known = {
        metric.name + ("_total" if metric.kind == "counter" else ""): metric.labels
        for metric in self_metrics.SELF_METRICS
        if "_forward_" in metric.name
    }

    said = {
        f"llmcost_collector_{name}": tuple(re.findall(r"`(\w+)`", labels))
        for names, labels, _ in rows("metric")
        for name in re.findall(r"`(\w+)`", names)
    }

    assert said == known


@pytest.mark.parametrize(
    "told",
    [f"within {PATIENCE_SECONDS * 1000:g} ms", f"about {FILE_BYTES >> 20} MiB", "half a second", "half a minute"],
)
def test_the_page_has_the_numbers_of_the_code(told: str) -> None:
    assert told in PAGE
