"""The bench must not rot: its worker makes real calls through the SDKs here, as `make bench` does elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).parent / "worker.py"


@pytest.mark.parametrize(
    ("candidate", "workload", "spans", "attributes"),
    [("bare", "openai-chat", 0, 0), ("floor", "openai-stream-20", 1, 12), ("floor", "anthropic-stream-20", 1, 12)],
)
def test_a_worker_says_what_its_calls_took_and_made(candidate: str, workload: str, spans: int, attributes: int) -> None:
    command = [sys.executable, str(WORKER), candidate, workload, "2"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    answer = json.loads(done.stdout)
    assert answer["cpu_us_per_call"] > 0
    assert (answer["spans_per_call"], answer["attributes_per_span"]) == (spans, attributes)
