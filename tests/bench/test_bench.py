"""The bench must not rot: its worker makes real calls through the SDKs here, as `make bench` does elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).parent / "worker.py"


def answer_of(candidate: str, workload: str) -> dict[str, object]:
    command = [sys.executable, str(WORKER), candidate, workload, "2"]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


@pytest.mark.parametrize(
    ("candidate", "workload", "spans", "attributes"),
    [("bare", "openai-chat", 0, 0), ("floor", "openai-stream-20", 1, 12), ("floor", "anthropic-stream-20", 1, 12)],
)
def test_a_worker_says_what_its_calls_took_and_made(candidate: str, workload: str, spans: int, attributes: int) -> None:
    answer = answer_of(candidate, workload)

    assert isinstance(answer["cpu_us_per_call"], float)
    assert answer["cpu_us_per_call"] > 0
    assert (answer["spans_per_call"], answer["attributes_per_span"]) == (spans, attributes)


@pytest.mark.parametrize("sdk", ["google-genai", "mistralai", "cohere", "bedrock", "groq", "ollama"])
@pytest.mark.parametrize("kind", ["chat", "stream-20"])
def test_the_floor_and_ours_make_one_span_of_each_call(sdk: str, kind: str) -> None:
    floor, ours = (answer_of(candidate, f"{sdk}-{kind}") for candidate in ("floor", "ours-memory"))

    assert (floor["spans_per_call"], floor["attributes_per_span"]) == (1, 12)
    assert ours["spans_per_call"] == 1


@pytest.mark.parametrize(("matching", "users"), [("0", "one"), ("5", "one"), ("5", "many")])
def test_calls_are_made_with_as_many_budgets_as_are_asked_for(matching: str, users: str, tmp_path: Path) -> None:
    """The settings are read and hold, or what is measured is not what is said."""
    command = [sys.executable, str(WORKER.with_name("budgets.py")), "10", matching, "sqlite", users, "2"]

    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    assert json.loads(said) == {"in_force": 10, "matching": int(matching)}
