"""The configuration of the OpenTelemetry Collector before ours, read by itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import trustme

from tests.real.otelcol import FOLDER, otelcol

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.mark.parametrize("name", ["agent.yaml", "gateway.yaml"])
def test_the_collector_that_is_built_takes_its_configuration(name: str, tmp_path: Path) -> None:
    """Every part that it names is built in, and every key is known to it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("gateway")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "gateway.pem")
    environ = {
        "LLMCOST_GATEWAY": "gateway:4317",
        "LLMCOST_COLLECTORS": "collectors.llmcost.svc",
        "LLMCOST_TOKEN": "a token",
        "LLMCOST_QUEUE": str(tmp_path / "queue"),
        "LLMCOST_CA": str(tmp_path / "ca.pem"),
        "LLMCOST_CERTIFICATE": str(tmp_path / "gateway.pem"),
        "LLMCOST_KEY": str(tmp_path / "gateway.pem"),
    }

    done = subprocess.run(
        [otelcol(), "validate", "--config", FOLDER / name],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
