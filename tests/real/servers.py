"""Starts real servers for tests: on free loopback ports, with their data in a temporary folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "node": "nodejs",
    "npm": "npm",
    "docker-compose": "docker-compose",
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
}
"""The Debian package of each program; `make test-real` installs them when root runs it."""


def program(name: str) -> str:
    """Return the path of a program that the test needs, or fail and say where it comes from."""
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"{name} is missing: apt-get install {PACKAGES[name]} (`make test-real` does, run by root)")
    return path


def run(*command: str, cwd: Path | None = None, timeout: float = 120) -> str:
    """Run a program to its end and return what it printed; fail with all of it if it fails."""
    done = subprocess.run(
        [program(command[0]), *command[1:]], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(is_true: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
    """Ask again and again, until it holds or time is up."""
    deadline, pause = time.monotonic() + seconds, Event()
    while not is_true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        pause.wait(0.1)


def get_json(url: str, **parameters: str) -> Any:
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with urllib.request.urlopen(url + query, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}: {error.read().decode()}\n{parameters}") from error


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def _running(command: list[str], ready_url: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as server:
        try:
            wait_until(lambda: server.poll() is not None or _answers(ready_url), f"{command[0]} to be ready, see {log}")
            assert server.poll() is None, log.read_text()
            yield
        finally:
            server.terminate()


@contextmanager
def prometheus(folder: Path, config: Path, flags: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run Prometheus over `folder/tsdb` and give its address."""
    url = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address={url}",
        *(f"--{name}={value}" for name, value in (flags or {}).items()),
    ]
    with _running(command, f"http://{url}/-/ready", folder / "prometheus.log"):
        yield f"http://{url}"


@contextmanager
def alertmanager(folder: Path, config: Path) -> Iterator[str]:
    """Run Alertmanager and give its address."""
    url = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={url}",
        "--cluster.listen-address=",
    ]
    with _running(command, f"http://{url}/-/ready", folder / "alertmanager.log"):
        yield f"http://{url}"
