"""Measure every candidate that installs with each SDK and write docs/benchmarks.md.

With openai all are measured, with each other SDK the floor, ours and two more; `--all`: everybody with everything,
`--quick`: only the floor and ours, counted more than timed, on screen.
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import measure
import report
from budgets import PAGE, kept
from environments import HERE, ROOT, NotThereError, counter_library, prepare, python_of, versions
from measure import Subject
from subjects import CANDIDATES, QUICK, SDKS, WORKLOADS, peers_of, quick_of, write_ours

PROGRAMS = ("pass", "import openai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure."""

    rounds: int
    start_up_rounds: int
    start_up_counted: bool
    timed: frozenset[str]
    """Whose calls are timed; those of all are counted."""


QUICK_EFFORT = Effort(rounds=3, start_up_rounds=5, start_up_counted=False, timed=frozenset({"bare"}))
FULL_EFFORT = Effort(rounds=15, start_up_rounds=11, start_up_counted=True, timed=frozenset(CANDIDATES))


def say(line: str) -> None:
    """Report progress beside the tables."""
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Who is measured with which SDK, as far as it installs."""

    subjects: dict[str, list[Subject]]
    """SDK → who is measured with it."""
    base: dict[str, str]
    """Environment → that whose bare SDK and floor it is compared with."""
    missing: dict[str, str]
    """Who cannot be measured, and why."""

    def able(self, sdk: str) -> list[Subject]:
        """Return who can do an SDK's calls, by what is known so far."""
        return [one for one in self.subjects[sdk] if _key(one, sdk) not in self.missing]


def _key(subject: Subject, sdk: str) -> str:
    return f"{subject.candidate} with {sdk}"


def available(names: Mapping[str, Sequence[str]]) -> Field:
    """Install what the candidates need; SDK → names of candidates."""
    field = Field(subjects={sdk: [] for sdk in names}, base={}, missing={})
    broken: dict[str, str] = {}
    for sdk, candidates in names.items():
        floor = CANDIDATES["bare"].environment_for(sdk)
        for name in candidates:
            environment = CANDIDATES[name].environment_for(sdk)
            if environment not in field.base and environment not in broken:
                say(f"environment {environment}")
                try:
                    prepare(environment)
                    is_same = versions(environment) == versions(floor)
                    field.base[environment] = floor if is_same else environment
                except NotThereError as error:
                    broken[environment] = f"does not install: {error}"
            if environment in broken:
                field.missing[_key(Subject(name, environment), sdk)] = broken[environment]
                continue
            own_floor = ("bare", "floor") if field.base[environment] != floor else ()
            field.subjects[sdk] += [Subject(each, environment) for each in (*own_floor, name)]
    return field


def time_calls(results: report.Results, field: Field, effort: Effort) -> None:
    """Time all calls, the candidates in turns; note who fails, and why."""
    for sdk in field.subjects:
        say(f"time the calls of {sdk}")
        failed: dict[Subject, str] = {}
        calls = {name: workload.calls_timed for name, workload in WORKLOADS.items() if workload.sdk == sdk}
        subjects = [one for one in field.able(sdk) if one.candidate in effort.timed]
        results.answers.update(measure.cpu_in_turns(subjects, calls, effort.rounds, failed))
        field.missing.update({_key(subject, sdk): reason for subject, reason in failed.items()})
    results.said.update({key: answers[-1] for key, answers in results.answers.items()})


def count_calls(results: report.Results, field: Field, library: Path, at_once: int) -> Iterator[None]:
    """Count the instructions of all calls; stop after each SDK."""
    for sdk in field.subjects:
        say(f"count the instructions of calls of {sdk}")
        calls = {name: workload.calls_counted for name, workload in WORKLOADS.items() if workload.sdk == sdk}
        found = measure.count_all([(one, calls) for one in field.able(sdk)], library, at_once)
        results.counts.update({key: count for key, (count, _) in found.items()})
        results.said.update({key: said for key, (_, said) in found.items()})
        yield


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


def page(results: report.Results, field: Field, how: str, tokens: str) -> str:
    """Return the whole page, as far as it is measured."""
    listed = "".join(f"- {name}: {reason}\n" for name, reason in field.missing.items())
    form = (HERE / "page.md").read_text()
    return form.format(
        how=how,
        facts=facts(dict(results.base)),
        calls=report.calls_tables(
            results, list(dict.fromkeys(one for each in field.subjects.values() for one in each))
        ),
        absent=f"\nNot measured:\n{listed}" if listed else "",
        start_up=report.start_up_table(results, PROGRAMS),
        budgets=kept(PAGE.read_text()),
        promises=report.promises_table(results),
        tokens=tokens,
    )


def asked() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the floor and ours, nothing written")
    parser.add_argument("--all", action="store_true", help="every candidate with every SDK")
    parser.add_argument("--sdk", action="append", choices=SDKS, help="only this SDK, or these, nothing written")
    parser.add_argument("--page", type=Path, help="where the page is written; docs/benchmarks.md after a whole run")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="processes that count, at a time")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the page unless it was a quick look; a run that is cut short leaves what it has."""
    args = asked()
    effort = QUICK_EFFORT if args.quick else FULL_EFFORT
    names: dict[str, Sequence[str]] = {
        sdk: quick_of(sdk)
        if args.quick
        else [name for name in CANDIDATES if sdk in CANDIDATES[name].sdks]
        if args.all
        else [*QUICK, *peers_of(sdk)]
        for sdk in args.sdk or SDKS
    }
    field = available(names)
    results = report.Results(base=field.base)
    tokens = token_accuracy()
    launched = [one.environment for one in CANDIDATES.values() if one.launched and one.environment in field.base]
    starts = [(environment, program) for program in PROGRAMS for environment in launched]
    config = write_ours("sqlite:///{folder}/ledger.db")
    how = "make bench" + " BENCH=--quick" * args.quick + " BENCH=--all" * args.all

    written = args.page or (None if args.quick or args.sdk else PAGE)

    def publish() -> str:
        text = page(results, field, how, tokens)
        if written is not None:
            written.write_text(text)
        return text

    time_starts(results, starts, config, effort.start_up_rounds)
    time_calls(results, field, effort)
    try:
        library = counter_library()
    except NotThereError as error:
        say(f"instructions are not counted: {error}")
    else:
        publish()
        for _ in count_calls(results, field, library, args.at_once):
            publish()
        if effort.start_up_counted:
            say("count the instructions of starts")
            results.start_up_counts.update(measure.count_starts(starts, config))
    print(publish())


if __name__ == "__main__":
    main()
