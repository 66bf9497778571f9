"""What the whole collector costs the processor: `python -m tests.bench.collector.whole`.

The program as people start it, with a ledger on disk and a back end that everything is handed on to. Only its CPU time
counts, that of its workers among it. Where Rotel is at hand (`make .venv-rotel/installed`) such batches go
through that, too, which hands them on and does nothing else.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import uvloop

from tests.bench.collector.corpus import SPANS, payloads
from tests.bench.collector.forward import sink
from tests.bench.collector.intake import AT_ONCE, cpu_seconds, http, paced, print_cost, resident_mb, share, spread
from tests.collector.running import running
from tests.real.servers import free_port, wait_until

ROUNDS, BATCHES, WARM = 3, 300, 40
ROOT = Path(__file__).parents[3]


def family(process: int) -> list[int]:
    """A process and its children."""
    stats = {int(each.parent.name): each.read_text() for each in Path("/proc").glob("[0-9]*/stat")}
    children = [number for number, stat in stats.items() if stat.rsplit(")")[-1].split()[1] == str(process)]
    return [process, *children]


async def cost(name: str, process: int, port: int, seeds: Iterator[int]) -> float:
    """Print and return the CPU seconds of a batch, the best of some rounds; every batch is a new one."""
    members, best = family(process), float("inf")
    await spread([await http(port) for _ in range(AT_ONCE)], payloads("base", WARM, next(seeds)), WARM)
    for _ in range(ROUNDS):
        batches = payloads("base", BATCHES, next(seeds))
        senders = [await http(port) for _ in range(AT_ONCE)]
        before = sum(map(cpu_seconds, members))
        said = await spread(senders, batches, BATCHES)
        await asyncio.sleep(1)  # what is behind the answer: handing on, booking
        best = min(best, (sum(map(cpu_seconds, members)) - before) / sum(status == 200 for status, _ in said))
    print_cost(name, best, SPANS)
    print(f"{'':12} {', '.join(f'{resident_mb(each):.0f} MB' for each in members)}", flush=True)
    return best


async def waiting(port: int, seeds: Iterator[int]) -> None:
    """Print how long senders wait at half of the load that it can take."""
    batches = payloads("base", BATCHES, next(seeds))
    senders = [await http(port) for _ in range(64)]
    began = perf_counter()
    await spread(senders[:AT_ONCE], batches, BATCHES)
    most = BATCHES / (perf_counter() - began)
    took = await paced(senders, payloads("base", BATCHES, next(seeds)), BATCHES, most / 2)
    print(f"at half load ({most / 2:.0f}/s): p50 {share(took, 0.5):.1f} ms, p99 {share(took, 0.99):.1f} ms", flush=True)


def ours(name: str, backend: int, seeds: Iterator[int], folder: Path, workers: int = 0) -> float:
    """Measure the collector."""
    settings = f'[receive]\ngrpc = "off"\n[[forward]]\nname = "b"\nendpoint = "http://127.0.0.1:{backend}"\n'
    settings += 'compression = "none"\n'
    port = free_port()
    with running(folder, settings, places=False, workers=workers, set=f"receive.http=127.0.0.1:{port}") as collector:
        found = uvloop.run(cost(name, collector.process.pid, port, seeds))
        uvloop.run(waiting(port, seeds))
        assert collector.end() == 0, collector.log
    return found


def rotel(program: Path, backend: int, seeds: Iterator[int]) -> float:
    """Measure Rotel as it hands on to the same back end."""
    port, grpc = free_port(), free_port()
    words = ["start", "--otlp-http-endpoint", f"127.0.0.1:{port}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"]
    words += ["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-compression", "none"]
    words += ["--otlp-exporter-endpoint", f"http://127.0.0.1:{backend}"]
    process = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), "Rotel listens")
        return uvloop.run(cost("rotel", process.pid, port, seeds))
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    seeds = iter(range(1000, 2000))
    program = next((ROOT / ".venv-rotel").glob("lib/python*/site-packages/rotel/rotel-agent"), None)
    with sink("http") as backend, tempfile.TemporaryDirectory() as folder:
        found = ours("one process", backend, seeds, Path(folder, "one"))
        ours("one worker", backend, seeds, Path(folder, "two"), workers=1)
        if program is None:
            print("Rotel is not here")
        else:
            print(f"one process over Rotel's plain forward: {found / rotel(program, backend, seeds):.2f}")


if __name__ == "__main__":
    main()
