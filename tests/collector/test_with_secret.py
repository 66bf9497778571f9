"""What containers share: made once, the same for all, and never in the way of what is brought along."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from examples.webhook_receiver import secret_key
from otel_llmcost_collector.tokens import holder, load

SCRIPT = Path(__file__).parents[2] / "collector" / "with-secret.sh"
TELL = ["sh", "-c", "printf '%s %s' $LLMCOST_WEBHOOK_SECRET $OTEL_EXPORTER_OTLP_HEADERS"]


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    known = {"PATH": os.environ["PATH"], "SHARED_FOLDER": str(folder), **environment}
    return subprocess.Popen([str(SCRIPT), *TELL], env=known, stdout=subprocess.PIPE, text=True)


def said(folder: Path, **environment: str) -> str:
    return start(folder, **environment).communicate(timeout=20)[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    said(folder)
    return folder / "secrets"


def test_containers_that_start_together_share_one_secret(tmp_path: Path) -> None:
    """Sender and receiver each make one, and keep the one that was there first."""
    told = {process.communicate(timeout=30)[0] for process in [start(tmp_path) for _ in range(6)]}

    assert len(told) == 1
    secret, header = told.pop().split()
    assert len(secret_key(secret)) == 24
    assert header.startswith("authorization=Bearer%20")
    assert [path.name for path in tmp_path.iterdir()] == ["secrets"]


def test_only_its_owner_reads_what_is_secret(made: Path) -> None:
    """All of ours run as one user; Prometheus, which is another, reads its token and whom to trust."""
    open_to_all = {path.name for path in made.iterdir() if path.stat().st_mode & 0o077}

    assert open_to_all == {"ca.pem", "authorities.pem", "metrics.token"}


def test_a_secret_that_is_brought_along_is_used(tmp_path: Path) -> None:
    """Who has a receiver of his own has its secret."""
    told = said(tmp_path, LLMCOST_WEBHOOK_SECRET="whsec_bWluZQ==", LLMCOST_TOKEN="mine")

    assert told == "whsec_bWluZQ== authorization=Bearer%20mine"


def test_the_collector_knows_the_tokens_that_are_made(made: Path) -> None:
    """Agents may reserve, settle and send spans; Prometheus may read."""
    tokens = load(made / "tokens.toml")
    rights = {}
    for name in ("agents", "metrics"):
        found = holder(tokens, f"Bearer {(made / f'{name}.token').read_text()}")
        assert found is not None
        rights[found.name] = set(found.rights)

    assert rights == {"agents": {"agent", "ingest"}, "metrics": {"reader"}}


@pytest.mark.parametrize("name", ["collector", "localhost"])
def test_agents_trust_the_certificate_that_is_made(name: str, made: Path) -> None:
    """By the strict rules that Python follows since 3.13."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made / "collector.pem")
    client = ssl.create_default_context(cafile=str(made / "authorities.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=lambda: server.wrap_socket(theirs, server_side=True).close())
    serving.start()

    with client.wrap_socket(ours, server_hostname=name) as agent:
        assert agent.version() == "TLSv1.3"
    serving.join(10)
