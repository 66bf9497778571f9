"""What docs/context.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_llmcost.telemetry.semconv import BAGGAGE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/context.md").read_text()


def test_the_page_names_all_keys_that_are_kept_from_providers():
    sentence = next(line for line in PAGE.splitlines() if line.startswith("Our keys are"))

    assert set(re.findall(r"`([^`]+)`", sentence)) == set(BAGGAGE)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE))))
def test_every_test_that_is_named_exists(name):
    assert (ROOT / name).exists()


@pytest.mark.parametrize("snippet", re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_every_snippet_runs(snippet):
    exec(snippet, {})
