"""The budget API as a program of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.request import urlopen

import pytest
import trustme

from examples.provider_server import ProviderServer
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.writer import Writer
from otel_llmcost_collector.store_server import main
from tests.storage.books import LEASE, NOW, USD, Books
from tests.test_docs import ROOT, run

EXAMPLE = "examples/openai_minimal.py"
TOKENS = f'[[token]]\nname = "agents"\nsha256 = "{sha256(b"geheim").hexdigest()}"\nrights = ["agent"]\n'


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts it on a free port; returns it with the URL that it says it listens on."""
    started: list[subprocess.Popen[str]] = []

    def start_it(*more: str, store: str = "memory://") -> tuple[subprocess.Popen[str], str]:
        program = [sys.executable, "-m", "otel_llmcost_collector.store_server", "--store", store]
        listen = () if "--listen" in more else ("--listen", "127.0.0.1:0")
        process = subprocess.Popen([*program, *listen, *more], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().removeprefix("listening on ").strip()

    yield start_it
    for process in started:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def test_it_keeps_budgets_for_others_and_ends_when_told_to(start, tmp_path: Path) -> None:
    process, url = start(store=f"sqlite://{tmp_path}/ledger.db")
    books = Books(open_store(f"{url}?timeout=5"))
    books.spend(1)
    books.store.close()

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert Books(open_store(f"sqlite://{tmp_path}/ledger.db")).balance().settled_nano == USD


def test_a_server_that_is_killed_loses_no_settlement_and_books_none_twice(start, tmp_path: Path) -> None:
    ledger = f"sqlite://{tmp_path}/ledger.db"
    process, url = start(store=ledger)
    books = Books(open_store(f"{url}?timeout=5"))
    writer = Writer(books.store, now=lambda: NOW)
    postings = [books.posting(books.hold(0.01), 0.01) for _ in range(300)]

    for number, posting in enumerate(postings):
        writer.settle(posting)
        if number == 150:
            books.balance()  # by now some of them are under way
            process.kill()
            process.wait(10)
    start("--listen", url.removeprefix("http://"), store=ledger)
    is_written = writer.flush(20)
    writer.close()

    kept = open_store(ledger)
    charged = sorted(charge.charge_id for charge in kept.charges(NOW, NOW + LEASE))
    assert (is_written, charged) == (True, sorted(posting.reservation_id for posting in postings))
    assert Books(kept).balance().settled_nano == 3 * USD
    kept.close()


def test_an_agent_keeps_its_books_there(start, tmp_path: Path) -> None:
    """Two variables are all it takes."""
    (tmp_path / "tokens.toml").write_text(TOKENS)
    ledger = f"sqlite://{tmp_path}/ledger.db"
    _, url = start("--tokens", "tokens.toml", store=ledger)
    agent = f"opentelemetry-instrument --traces_exporter none --metrics_exporter none python {ROOT / EXAMPLE}"

    with ProviderServer() as provider:
        run(f"OTEL_LLMCOST_STORE={url} OTEL_LLMCOST_STORE_TOKEN=geheim {agent}", provider, tmp_path)

    kept, now = open_store(ledger), datetime.now(UTC)
    (charge,) = kept.charges(now - LEASE, now + LEASE)
    assert (charge.provider, charge.status, kept.open_reservations()) == ("openai", "confirmed", 0)
    kept.close()


def test_it_tells_agents_the_budgets_of_a_file(start, tmp_path: Path) -> None:
    (tmp_path / "llmcost.toml").write_text('store = "memory://"\n[[budget]]\nname = "all"\nlimit = 0.1\nwindow = "day"')
    _, url = start("--config", "llmcost.toml")

    with urlopen(f"{url}/v1/config", timeout=10) as answer:
        assert answer.read() == b'{"budget":[{"name":"all","limit":0.1,"window":"day"}]}'


def test_it_speaks_tls_and_asks_for_tokens(start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    (tmp_path / "tokens.toml").write_text(TOKENS)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    _, url = start("--tokens", "tokens.toml", "--certificate", "server.pem", "--listen", "0.0.0.0:0")
    url = url.replace("0.0.0.0", "localhost")

    assert open_store(url, token="geheim").open_reservations() == 0
    with pytest.raises(StoreError, match="does not know the token"):
        open_store(url, token="anders").open_reservations()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["--listen", "0.0.0.0:4319"], "without tokens everybody may do everything", id="open-to-all"),
        pytest.param(["--listen", "collector:4319"], "without tokens", id="a-name-may-be-anything"),
        pytest.param(
            ["--listen", "[::]:4319", "--tokens", "tokens.toml"], "without TLS everybody may read", id="in-the-clear"
        ),
        pytest.param(["--listen", "4319"], "no place to listen", id="no-host"),
        pytest.param(["--listen", "localhost:http"], "no place to listen", id="no-port"),
        pytest.param(["--tokens", "other.toml"], "cannot be read", id="no-tokens"),
        pytest.param(["--config", "other.toml"], "cannot be read", id="no-budgets"),
        pytest.param(["--store", "ftp://nowhere"], "no store for", id="no-store"),
    ],
)
def test_what_is_not_safe_or_not_there_is_not_started(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokens.toml").write_text(TOKENS)

    assert main(["--store", "memory://", *arguments]) == 2

    assert problem in capsys.readouterr().err


def test_somebody_in_front_may_speak_tls_for_it(start, tmp_path: Path) -> None:
    (tmp_path / "tokens.toml").write_text(TOKENS)
    _, url = start("--tokens", "tokens.toml", "--listen", "0.0.0.0:0", "--behind-proxy")

    with urlopen(f"{url.replace('0.0.0.0', '127.0.0.1')}/readyz", timeout=10) as answer:
        assert json.load(answer) == {"status": "ready"}


def test_without_what_serves_it_says_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    assert main(["--store", "memory://"]) == 2

    assert "the extra otel-llmcost[collector]" in capsys.readouterr().err
