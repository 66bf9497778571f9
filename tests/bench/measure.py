"""Measure candidates in processes of their own: CPU time in turns, instructions under callgrind, start-up."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from environments import HERE, NotThereError, launcher_of, python_of

T = TypeVar("T")
VALGRIND = ("valgrind", "--quiet", "--tool=callgrind")
# Ends the launcher where it would become the program, because callgrind forgets what it counted before an exec.
LAUNCHER = """
import os, sys
os.execl = lambda *_: sys.exit()
from opentelemetry.instrumentation.auto_instrumentation import run
run()
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """A candidate in an environment; bare and floor are measured in several."""

    candidate: str
    environment: str


Answer = dict[str, Any]
"""What a worker says of its calls."""
Answers = dict[tuple[Subject, str], list[Answer]]


class Worker:
    """A candidate's process, ready to be asked for a number of calls of any workload of one SDK."""

    def __init__(self, subject: Subject, wrapper: Sequence[str] = (), **more: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed with the worker
        command = [*wrapper, python_of(subject.environment), str(HERE / "worker.py"), subject.candidate, "-", "-"]
        self._process: Any = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONHASHSEED": "0"} | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self, workload: str, calls: int) -> Answer:
        """Let it make the calls and return its answer.

        Raises:
            NotThereError: The process ended instead.
        """
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{workload} {calls}\n")
            self._process.stdin.flush()
        while line := self._process.stdout.readline():
            if line.startswith('{"candidate"'):  # else a candidate's own words
                return dict(json.loads(line))
        self._process.wait()
        self._errors.seek(0)
        raise NotThereError(([line for line in self._errors.read().splitlines() if line.strip()] or ["ended"])[-1])

    def close(self) -> None:
        """End it in order, so that it can write what it holds."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


@contextlib.contextmanager
def workers(
    subjects: Sequence[Subject], workloads: Sequence[str], failed: dict[Subject, str]
) -> Generator[dict[Subject, Worker]]:
    """Start a worker for each subject that works at all; note the others."""
    started = {subject: Worker(subject) for subject in subjects}
    try:
        for subject in subjects:
            try:
                for workload in workloads:
                    started[subject].ask(workload, 1)
            except NotThereError as error:
                failed[subject] = str(error)
        yield {subject: worker for subject, worker in started.items() if subject not in failed}
    finally:
        for worker in started.values():
            worker.close()


def cpu_in_turns(
    subjects: Sequence[Subject], calls: Mapping[str, int], rounds: int, failed: dict[Subject, str]
) -> Answers:
    """Return each subject's answers, one a round; in a round all take their turn, each time another one first.

    `calls`: workloads of one SDK, and how many calls of each are timed.
    """
    answers: Answers = {}
    with workers(subjects, tuple(calls), failed) as running:
        order = list(running)
        for turn in range(rounds if order else 0):
            shift = turn % len(order)
            for workload, count in calls.items():
                for subject in order[shift:] + order[:shift]:
                    answers.setdefault((subject, workload), []).append(running[subject].ask(workload, count))
    return answers


def instructions(subject: Subject, calls: Mapping[str, int], library: Path) -> dict[str, tuple[float, Answer]]:
    """Return how many instructions one call of each workload takes, all counted that its process does for it."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "counts"
        wrapper = (*VALGRIND, "--instr-atstart=no", f"--callgrind-out-file={output}")
        worker = Worker(subject, wrapper, BENCH_COUNTER=str(library))
        try:
            answers = {workload: worker.ask(workload, count) for workload, count in calls.items()}
        finally:
            worker.close()
        parts = enumerate(answers.items(), start=1)  # callgrind numbers what it writes out
        return {name: (total(output.with_name(f"counts.{n}")) / calls[name], one) for n, (name, one) in parts}


def count_all(
    jobs: Sequence[tuple[Subject, Mapping[str, int]]], library: Path, at_once: int
) -> dict[tuple[Subject, str], tuple[float, Answer]]:
    """Count all jobs, so many at a time; other work on the machine changes no count."""
    with ThreadPoolExecutor(at_once) as pool:
        counts = pool.map(lambda job: _or_none(instructions, job[0], job[1], library), jobs)
        return {
            (job[0], workload): count
            for job, found in zip(jobs, counts, strict=True)
            for workload, count in (found or {}).items()
        }


def _or_none(count: Callable[..., T], *job: Any) -> T | None:
    try:
        return count(*job)
    except (NotThereError, subprocess.CalledProcessError) as error:
        print(f"not counted: {job[0]}: {error}", file=sys.stderr)
        return None


def start_up_cpu_ms(environment: str, program: str, config: str) -> float:
    """Return the CPU time in ms of `opentelemetry-instrument python -c PROGRAM`."""
    python = python_of(environment)
    process = subprocess.Popen([launcher_of(environment), python, "-c", program], env=_quiet(config))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise NotThereError(f"opentelemetry-instrument ended with {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def start_up_instructions(environment: str, program: str, config: str) -> float:
    """Return the instructions of the same: those of the launcher and those of the program that it becomes."""
    python = python_of(environment)
    with tempfile.TemporaryDirectory() as folder:
        parts = {
            "launcher": [python, "-c", LAUNCHER, python, "-c", program],
            "program": [python, launcher_of(environment), python, "-c", program],
        }
        for name, command in parts.items():
            wrapper = [*VALGRIND, "--trace-children=yes", f"--callgrind-out-file={folder}/{name}"]
            subprocess.run([*wrapper, *command], env=_quiet(config), check=True, capture_output=True)
        return sum(total(Path(folder) / name) for name in parts)


def count_starts(starts: Sequence[tuple[str, str]], config: str) -> dict[tuple[str, str], float]:
    """Count all these starts (environment, program), as many at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = pool.map(lambda start: _or_none(start_up_instructions, start[0], start[1], config), starts)
        return {start: count for start, count in zip(starts, counts, strict=True) if count is not None}


def _quiet(config: str) -> dict[str, str]:
    exporters = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none")
    return os.environ | exporters | {"PYTHONHASHSEED": "0", "OTEL_LLMCOST_CONFIG": config}


def total(output: Path) -> int:
    """Return how many instructions callgrind counted, by what it wrote."""
    found = re.search(r"^(?:totals|summary): (\d+)", output.read_text(), re.MULTILINE)
    if found is None:
        raise NotThereError(f"callgrind wrote no total ({sys.platform})")
    return int(found[1])
