"""A server that forks its workers after the first call, as gunicorn does with `--preload`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PROGRAM = """
import json, os, sys
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider(metric_readers=[reader], shutdown_on_exit=False))

import openai
import otel_llmcost
from examples.provider_server import ProviderServer

def ask():
    with openai.OpenAI(base_url=url, api_key="k") as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])

def seen():
    points = [
        (point.attributes, point.value)
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name == "llmcost.calls"
        for point in metric.data.data_points
    ]
    summary = otel_llmcost.summary()
    return {
        "calls": sum(value for _, value in points),
        "instances": sorted({attributes["service.instance.id"] for attributes, _ in points}),
        "summary": summary["calls"],
        "events": len(summary["events"]),
    }

otel_llmcost.instrument()
with ProviderServer() as server:
    url = server.openai_url
    ask()
    ask()
    before = seen()
    read, write = os.pipe()
    if os.fork() == 0:
        ask()
        os.write(write, json.dumps(seen()).encode())
        os._exit(0)
    os.wait()
    print(json.dumps({"before": before, "child": json.loads(os.read(read, 65536)), "parent": seen()}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_worker_shows_its_own_calls_under_its_own_name(tmp_path):
    """Shown by both, the parent's calls would be added up twice."""
    environ = {"OTEL_LLMCOST_STORE": "memory://", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    # Python 3.12 and later warn of forking beside threads, of which the program's own are meant here.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM]
    done = subprocess.run(command, env=environ, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert {name: (each["calls"], each["summary"], each["events"]) for name, each in seen.items()} == {
        "before": (2, 2, 2),
        "child": (1, 1, 1),
        "parent": (2, 2, 2),
    }
    assert seen["before"]["instances"] == seen["parent"]["instances"] != seen["child"]["instances"]
