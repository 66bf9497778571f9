"""The servers that a fleet has around its agents, started natively: Redis, Alertmanager, Prometheus, the collector."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.demo.prometheus import Prometheus
from examples.demo.stage import ROOT, end, free_port

RULES = ROOT / "collector" / "prometheus" / "rules.yml"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LAST_CHARACTERS = 2000


class DeadProgramError(Exception):
    """A program that ended, or does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the collector listens."""

    grpc: int
    http: int
    api: int

    @classmethod
    def free(cls) -> Ports:
        """Find three."""
        return cls(grpc=free_port(), http=free_port(), api=free_port())

    @property
    def store(self) -> str:
        """The store of agents with our plugin."""
        return f"http://127.0.0.1:{self.api}"


@contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """Run Redis and give its URL; None: there is none here."""
    program, port = shutil.which("redis-server"), free_port()
    if program is None:
        yield None
        return
    options = {"port": port, "bind": "127.0.0.1", "save": "", "dir": folder}
    command = [program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    with running(command, folder / "redis.log", lambda: _listens(port)):
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str | None]:
    """Run Alertmanager and give where it listens; None: there is none here."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        yield None
        return
    address = f"127.0.0.1:{free_port()}"
    config = {
        "route": {"receiver": "webhook", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook}]}],
    }
    command = [
        program,
        f"--config.file={_written(folder / 'alertmanager.yml', config)}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with running(command, folder / "alertmanager.log", lambda: _answers(f"http://{address}/-/ready")):
        yield address


@contextmanager
def prometheus(folder: Path, scraped: str, alerts_to: str | None) -> Iterator[Prometheus | None]:
    """Run Prometheus over the collector's metrics, with the rules of the project; None: there is none here."""
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    address = f"127.0.0.1:{free_port()}"
    config = {  # JSON is YAML
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts_to]}]}] if alerts_to else []},
        "scrape_configs": [{"job_name": "collector", "static_configs": [{"targets": [scraped]}]}],
    }
    command = [
        program,
        f"--config.file={_written(folder / 'prometheus.yml', config)}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    ]
    with running(command, folder / "prometheus.log", lambda: _answers(f"http://{address}/-/ready")):
        yield Prometheus(f"http://{address}")


@contextmanager
def collector(
    folder: Path, ports: Ports, balances: str, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the collector with two workers."""
    config = folder / "collector.toml"
    config.write_text(
        "workers = 2\n"
        f'balances = "{balances}"\n'
        f'[ledger]\nurl = "sqlite:///{folder}/charges.db"\n'
        f'[receive]\ngrpc = "127.0.0.1:{ports.grpc}"\nhttp = "127.0.0.1:{ports.http}"\n'
        f'[api]\nlisten = "127.0.0.1:{ports.api}"\n'
        f'[queue]\nfolder = "{folder}/queue"\n'
    )
    command = [str(Path(sys.executable).with_name("otel-llmcost")), "collector", "--config", str(config)]
    with running(command, folder / "collector.log", lambda: _answers(f"{ports.store}/readyz"), environ) as process:
        yield process


@contextmanager
def running(
    command: Sequence[str], log: Path, is_ready: Callable[[], bool], environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until it is done with; give it when it is ready.

    Raises:
        DeadProgramError: it never is.
    """
    process = start(command, log, environ)
    try:
        until = time.monotonic() + _START_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > until:
                said = log.read_text(errors="replace")[-_LAST_CHARACTERS:]
                raise DeadProgramError(f"{Path(command[0]).name} did not start:\n{said}")
            time.sleep(_POLL_SECONDS)
        yield process
    finally:
        end(process, signal.SIGTERM)


def start(command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a program whose output goes to a file."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches it through us alone, and once
        )


def _written(path: Path, config: Mapping[str, object]) -> Path:
    path.write_text(json.dumps(config))
    return path


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine needs no proxy
    try:
        with opener.open(url, timeout=1):
            return True
    except OSError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
