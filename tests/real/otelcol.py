"""The OpenTelemetry Collector, built by its builder from collector/otelcol/builder.yaml, where Go is at hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "collector" / "otelcol"
_PROGRAM = ROOT / "build" / "otelcol" / "otelcol-llmcost"
_BUILD_SECONDS = 1500


def otelcol() -> Path:
    """Return the program, built if it is older than what it is built from; skip where it cannot be."""
    manifest = FOLDER / "builder.yaml"
    if _PROGRAM.exists() and _PROGRAM.stat().st_mtime > manifest.stat().st_mtime:
        return _PROGRAM
    if shutil.which("go") is None:
        pytest.skip("go is missing, so there is no OpenTelemetry Collector to send with")
    version = re.findall(r"cmd/builder@(v\S+)", manifest.read_text())[0]
    tools = ROOT / "build" / "go"
    environ = {**os.environ, "GOBIN": str(tools)}
    for command in (
        ["go", "install", f"go.opentelemetry.io/collector/cmd/builder@{version}"],
        [str(tools / "builder"), "--config", str(manifest)],
    ):
        done = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
        if done.returncode:
            pytest.skip(f"no OpenTelemetry Collector can be built here: {done.stderr.strip()[-300:]}")
    return _PROGRAM
