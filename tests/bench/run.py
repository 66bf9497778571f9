"""Measure every candidate that installs and write docs/benchmarks.md; `--quick`: only the floor and ours, on screen."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import measure
import report
from environments import HERE, ROOT, NotThereError, counter_library, prepare, python_of, versions
from measure import Subject
from subjects import CANDIDATES, QUICK, WORKLOADS, write_ours

PROGRAMS = ("pass", "import openai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure."""

    rounds: int
    start_up_rounds: int
    start_up_counted: bool


QUICK_EFFORT = Effort(rounds=5, start_up_rounds=9, start_up_counted=False)
FULL_EFFORT = Effort(rounds=15, start_up_rounds=11, start_up_counted=True)


def say(line: str) -> None:
    """Report progress beside the tables."""
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)


def available(names: Sequence[str]) -> tuple[list[Subject], dict[str, str], dict[str, str]]:
    """Install what the candidates need; return who can run, which floor each environment has, and why others cannot."""
    missing: dict[str, str] = {}
    base: dict[str, str] = {}
    subjects: list[Subject] = []
    for environment in dict.fromkeys(CANDIDATES[name].environment for name in names):
        mine = [name for name in names if CANDIDATES[name].environment == environment]
        say(f"environment {environment}")
        try:
            prepare(environment)
        except NotThereError as error:
            missing |= dict.fromkeys(mine, f"does not install: {error}")
            continue
        base[environment] = "sdk" if versions(environment) == versions("sdk") else environment
        own_floor = [name for name in ("bare", "floor") if base[environment] != "sdk"]
        subjects += [Subject(name, environment) for name in own_floor + mine]
    return subjects, base, missing


def able(subjects: Sequence[Subject], absent: dict[str, str], workload: str) -> list[Subject]:
    """Return who can do this workload, by what is known so far."""
    sdk = WORKLOADS[workload].sdk
    return [one for one in subjects if sdk in CANDIDATES[one.candidate].sdks and one.candidate not in absent]


def time_calls(results: report.Results, subjects: Sequence[Subject], absent: dict[str, str], rounds: int) -> None:
    """Time all calls, the candidates in turns; note who fails, and why."""
    for name, workload in WORKLOADS.items():
        say(f"time {workload.title}")
        failed: dict[Subject, str] = {}
        answers = measure.cpu_in_turns(able(subjects, absent, name), name, workload.calls_timed, rounds, failed)
        results.answers.update({(subject, name): found for subject, found in answers.items()})
        absent |= {subject.candidate: reason for subject, reason in failed.items()}


def count_calls(results: report.Results, subjects: Sequence[Subject], absent: dict[str, str], library: Path) -> None:
    """Count the instructions of all calls."""
    say("count the instructions of calls")
    jobs = [
        (one, name, workload.calls_counted)
        for name, workload in WORKLOADS.items()
        for one in able(subjects, absent, name)
    ]
    results.counts.update(measure.count_all(jobs, library))


def time_starts(results: report.Results, starts: Sequence[tuple[str, str]], config: str, rounds: int) -> None:
    """Time starts under `opentelemetry-instrument`, the environments in turns."""
    say("time starts")
    for _ in range(rounds):
        for start in starts:
            results.start_up_ms.setdefault(start, []).append(measure.start_up_cpu_ms(*start, config))


def facts(base: dict[str, str]) -> str:
    """Return what the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    now, load = datetime.now(UTC), os.getloadavg()[0]
    found = [f"{now:%Y-%m-%d}, {os.cpu_count()} cores ({model}), load {load:.1f}, Python {platform.python_version()}"]
    floors = dict.fromkeys(base.values())
    found += [("" if name == "sdk" else f"{name} has its own: ") + _listed(versions(name)) for name in floors]
    candidates = [one for one in CANDIDATES.values() if one.packages and one.environment in base]
    found.append(", ".join(_listed(versions(one.environment, *one.packages)) for one in candidates))
    return "\n".join(f"- {line}" for line in found if line)


def _listed(versions_found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions_found.items())


def token_accuracy() -> str:
    """Return the table of how far token estimates are off, made by its own script."""
    done = subprocess.run(
        [python_of("ours"), str(HERE / "token_accuracy.py")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"Not measured: {done.stderr.strip().splitlines()[-1]}"
    return done.stdout.strip()


def page(results: report.Results, subjects: Sequence[Subject], absent: dict[str, str], tokens: str) -> str:
    """Return the whole page, as far as it is measured."""
    listed = "".join(f"- {name}: {reason}\n" for name, reason in absent.items())
    form = (HERE / "page.md").read_text()
    return form.format(
        facts=facts(dict(results.base)),
        calls=report.calls_table(results, [one for one in subjects if one.candidate not in absent]),
        absent=f"\nNot measured:\n{listed}" if listed else "",
        start_up=report.start_up_table(results, PROGRAMS),
        promises=report.promises_table(results),
        tokens=tokens,
    )


def main() -> None:
    """Measure, print, and write the page unless it was a quick look; a run that is cut short leaves what it has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the floor and ours, few rounds, nothing written")
    quick = parser.parse_args().quick
    effort = QUICK_EFFORT if quick else FULL_EFFORT
    subjects, base, absent = available(QUICK if quick else tuple(CANDIDATES))
    results = report.Results(base=base)
    tokens = token_accuracy()
    launched = [one.environment for one in CANDIDATES.values() if one.launched and one.environment in base]
    starts = [(environment, program) for program in PROGRAMS for environment in launched]
    config = write_ours("sqlite:///{folder}/ledger.db")

    def publish() -> str:
        text = page(results, subjects, absent, tokens)
        if not quick:
            (ROOT / "docs").mkdir(exist_ok=True)
            (ROOT / "docs" / "benchmarks.md").write_text(text)
        return text

    time_starts(results, starts, config, effort.start_up_rounds)
    time_calls(results, subjects, absent, effort.rounds)
    try:
        library = counter_library()
    except NotThereError as error:
        say(f"instructions are not counted: {error}")
    else:
        publish()
        count_calls(results, subjects, absent, library)
        if effort.start_up_counted:
            publish()
            say("count the instructions of starts")
            results.start_up_counts.update(measure.count_starts(starts, config))
    print(publish())


if __name__ == "__main__":
    main()
