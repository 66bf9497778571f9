"""The OpenTelemetry Collector before ours: its configuration, read by itself, and spans that go all the way."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.collector.stack import Stack, collecting
from tests.real.otelcol import FOLDER, otelcol
from tests.real.servers import free_port, wait_until

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


def test_a_span_goes_from_beside_an_agent_over_the_gateway_into_the_ledger(tmp_path: Path) -> None:
    """Over TLS with tokens, through queues on disk, sent to the collector that its trace belongs to."""
    program = otelcol()
    with collecting(tmp_path) as stack, gateway(program, stack) as grpc, beside(program, stack, grpc) as http:
        tracing = TracerProvider()
        tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"http://localhost:{http}/v1/traces")))
        facts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 1000,
        }
        for _ in range(5):
            tracing.get_tracer("by-hand").start_span("chat gpt-4o-mini", attributes=facts).end()
        tracing.shutdown()

        wait_until(lambda: booked(stack) == 5, "five calls are in the ledger")


@contextmanager
def gateway(program: Path, stack: Stack) -> Iterator[int]:
    """Run `gateway.yaml` in front of the stack's collector; give where it takes gRPC."""
    grpc = free_port()
    changes = {
        'port: "4317"': f'port: "{stack.ports["4317"]}"',
        "COLLECTORS}:4317": f"COLLECTORS}}:{stack.ports['4317']}",
        "0.0.0.0:4317": f"127.0.0.1:{grpc}",
    }
    with sending(program, stack, "gateway.yaml", changes, LLMCOST_COLLECTORS="localhost"):
        yield grpc


@contextmanager
def beside(program: Path, stack: Stack, grpc: int) -> Iterator[int]:
    """Run `agent.yaml` before that gateway; give where it takes HTTP."""
    http = free_port()
    changes = {"localhost:4318": f"localhost:{http}"}
    with sending(program, stack, "agent.yaml", changes, LLMCOST_GATEWAY=f"localhost:{grpc}"):
        yield http


@contextmanager
def sending(program: Path, stack: Stack, name: str, changes: Mapping[str, str], **environ: str) -> Iterator[None]:
    """Run the OpenTelemetry Collector by one of our files, on ports that are free."""
    text, secrets = (FOLDER / name).read_text(), stack.folder / "secrets"
    elsewhere = {
        ":13133": f":{free_port()}",
        "localhost:4317": f"localhost:{free_port()}",
        "\nservice:\n": "\nservice:\n  telemetry: { metrics: { level: none } }\n",  # their port is fixed
    }
    for usual, free in {**changes, **elsewhere, "0.0.0.0:": "127.0.0.1:"}.items():
        text = text.replace(usual, free)
    (stack.folder / name).write_text(text.replace("127.0.0.1:4318", f"127.0.0.1:{free_port()}"))
    given = {
        "LLMCOST_TOKEN": (secrets / "agents.token").read_text(),
        "LLMCOST_QUEUE": str(stack.folder / f"queue-{name}"),
        "LLMCOST_CA": str(secrets / "ca.pem"),
        "LLMCOST_CERTIFICATE": str(secrets / "collector.pem"),
        "LLMCOST_KEY": str(secrets / "collector.pem"),
        **environ,
    }
    log = stack.folder / f"{name}.log"
    with log.open("wb") as output:
        command = [program, "--config", stack.folder / name]
        process = subprocess.Popen(command, env=given, stdout=output, stderr=output)
    try:
        wait_until(lambda: b"Everything is ready" in log.read_bytes() or process.poll() is not None, f"{name} is ready")
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def booked(stack: Stack) -> int:
    """Count the calls in the ledger."""
    return sum(total.calls for total in stack.totals())
