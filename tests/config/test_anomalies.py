"""`[anomalies]` is read, and what of it cannot be is as if left out."""

from pathlib import Path

import pytest

from otel_llmcost.config import Settings, load
from otel_llmcost.core.anomaly import Anomalies


def read(folder: Path, text: str) -> Settings:
    (folder / "llmcost.toml").write_text(text)
    return load({}, cwd=folder, home=folder / "home")


def test_without_any_the_defaults_hold(tmp_path):
    assert read(tmp_path, "").anomalies is None
    assert read(tmp_path, "[anomalies]").anomalies == Anomalies()


def test_all_that_is_said_is_read(tmp_path):
    settings = read(
        tmp_path,
        """
        [anomalies]
        watch = false
        by = ["total", "user"]
        method = "window"
        threshold = 3
        least_usd = 2.50
        first_seen = []
        first_seen_days = 7
        """,
    )

    assert settings.problems == ()
    assert settings.anomalies == Anomalies(
        is_watched=False,
        by=("total", "user"),
        method="window",
        threshold=3.0,
        least_nano=2_500_000_000,
        first_seen=(),
        first_seen_days=7,
    )


LEFT_OUT = "it is taken as if left out"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(
            'by = "agent"',
            (f'2: anomalies.by: found "agent"; {LEFT_OUT} (expected a list of dimensions such as ["total", "agent"])'),
            id="no-list",
        ),
        pytest.param(
            'by = ["agnt"]',
            f'2: anomalies.by[0]: no dimension is called "agnt", perhaps "agent" is meant; {LEFT_OUT} (expected ',
            id="no-dimension",
        ),
        pytest.param(
            'first_seen = ["total"]',
            f'2: anomalies.first_seen[0]: no dimension is called "total"; {LEFT_OUT} (expected "agent"',
            id="not-of-all-calls",
        ),
        pytest.param(
            'by = ["agent", "agent"]', f"2: anomalies.by: a dimension is named twice; {LEFT_OUT}", id="named-twice"
        ),
        pytest.param("by = [3]", "2: anomalies.by[0]: no dimension is called", id="no-name"),
        pytest.param(
            'method = "magic"',
            f'2: anomalies.method: found "magic"; {LEFT_OUT} (expected "window", "overall" or "robust")',
            id="no-method",
        ),
        pytest.param(
            "threshold = 0",
            f"2: anomalies.threshold: found 0; {LEFT_OUT} (expected a number above 0 and up to 1000, such as 3)",
            id="no-threshold",
        ),
        pytest.param("threshold = nan", "2: anomalies.threshold: found nan", id="no-number"),
        pytest.param("threshold = true", "2: anomalies.threshold: found true", id="switch"),
        pytest.param("least_usd = -1", "2: anomalies.least_usd: found -1", id="negative"),
        pytest.param(
            "first_seen_days = 0.5",
            f"2: anomalies.first_seen_days: found 0.5; {LEFT_OUT} (expected a number of days from 1 to 365)",
            id="half-a-day",
        ),
        pytest.param(
            "sensitivity = 3",
            f'2: anomalies.sensitivity: no key is called "sensitivity"; {LEFT_OUT} (expected "least_usd"',
            id="unknown-key",
        ),
    ],
)
def test_a_fault_says_key_line_and_what_it_means(tmp_path, line, problem):
    settings = read(tmp_path, f"[anomalies]\n{line}")

    (said,) = settings.problems
    assert str(said).removeprefix(f"{tmp_path}/llmcost.toml:").startswith(problem)
    assert settings.anomalies == Anomalies()


def test_what_is_no_table_is_noted(tmp_path):
    settings = read(tmp_path, "anomalies = true")

    (said,) = settings.problems
    assert f"found true; {LEFT_OUT} (expected a table headed [anomalies])" in str(said)
    assert settings.anomalies == Anomalies()
