"""The collector as a process of its own, for tests that use it as people do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.real.servers import wait_until

_LISTENS = re.compile(r"INFO otel_llmcost_collector: (OTLP over HTTP|OTLP over gRPC|API and metrics|metrics) at (\S+)")
ANYWHERE = ("receive.http=127.0.0.1:0", "receive.grpc=127.0.0.1:0")


class Running:
    """One that runs."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "collector.log").read_text()

    def url(self, of: str) -> str:
        """Say where it listens."""
        return dict(_LISTENS.findall(self.log))[of]

    @property
    def http(self) -> str:
        return self.url("OTLP over HTTP")

    @property
    def api(self) -> str:
        return self.url("API and metrics")

    def get(self, path: str, **headers: str) -> str:
        """Ask on the API's address."""
        with urlopen(Request(self.api + path, headers=headers)) as answer:
            return answer.read().decode()

    def metric(self, name: str) -> float:
        """Add up all series of a metric."""
        lines = [line for line in self.get("/metrics").splitlines() if re.match(rf"{name}[{{ ]", line)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def running(
    folder: Path,
    settings: str = "",
    *,
    budgets: str = "",
    environ: Mapping[str, str] | None = None,
    places: bool = True,
    **options: Any,
) -> Iterator[Running]:
    """Start one in a folder, where a second one finds what the first has left; it is ended with the block."""
    folder.mkdir(exist_ok=True)
    (folder / "collector.toml").write_text(settings)
    (folder / "llmcost.toml").write_text(budgets)
    said = [f"--set={place}" for place in ("api.listen=127.0.0.1:0", *(ANYWHERE if places else ()))]
    said += [f"--{name}={value}" for name, value in options.items()]
    with (folder / "collector.log").open("w") as log:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "otel-llmcost", "collector", *said],
            cwd=folder,
            env={**os.environ, "HOME": str(folder), **(environ or {})},
            stderr=log,
            text=True,
        )
    found = Running(folder, process)
    try:
        wait_until(lambda: " ready\n" in found.log or process.poll() is not None, "the collector is ready", seconds=60)
        assert process.poll() is None, found.log
        yield found
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
