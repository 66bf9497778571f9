"""Turn measurements into the tables of docs/benchmarks.md; computes, measures nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from measure import Subject
from subjects import CANDIDATES, SDKS, WORKLOADS

Row = Sequence[str]
MISSING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was measured, and what follows from it."""

    base: Mapping[str, str]
    """Which environment's bare SDK and floor a candidate's environment is compared with."""
    answers: dict[tuple[Subject, str], list[dict[str, Any]]] = field(default_factory=dict)
    counts: dict[tuple[Subject, str], float] = field(default_factory=dict)
    said: dict[tuple[Subject, str], dict[str, Any]] = field(default_factory=dict)
    """What each worker said last of its calls."""
    start_up_ms: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    start_up_counts: dict[tuple[str, str], float] = field(default_factory=dict)

    def added_us(self, subject: Subject, workload: str) -> float | None:
        """Return the CPU time in µs added to a call: the median of the rounds' differences from the bare SDK."""
        mine = self.answers.get((subject, workload))
        bare = self.answers.get((self._base_of(subject, "bare"), workload))
        if not mine or not bare:
            return None
        return median(
            float(one["cpu_us_per_call"]) - float(other["cpu_us_per_call"])
            for one, other in zip(mine, bare, strict=True)
        )

    def added_instructions(self, subject: Subject, workload: str) -> float | None:
        """Return the instructions added to a call."""
        mine = self.counts.get((subject, workload))
        bare = self.counts.get((self._base_of(subject, "bare"), workload))
        return None if mine is None or bare is None else mine - bare

    def _base_of(self, subject: Subject, candidate: str) -> Subject:
        return Subject(candidate, self.base.get(subject.environment, "sdk"))

    def times_floor(self, subject: Subject, workload: str, *, counted: bool) -> float | None:
        """Return what is added as a multiple of what the floor adds.

        By hand a stream costs no less than a call; where it seems to, the little that is added drowned in the much
        that the SDK does for a stream, and the call's floor stands for it.
        """
        added = self.added_instructions if counted else self.added_us
        floor_at = self._base_of(subject, "floor")
        floors = [added(floor_at, name) for name in (workload, f"{WORKLOADS[workload].sdk}-chat")]
        floor = None if floors[0] is None else max(each for each in floors if each is not None)
        mine = added(subject, workload)
        return None if mine is None or floor is None or floor <= 0 else mine / floor

    def per_chunk(self, subject: Subject, sdk: str, *, counted: bool) -> float | None:
        """Return what each further chunk of a stream adds, in µs or instructions."""
        added = self.added_instructions if counted else self.added_us
        names = f"{sdk}-stream-200", f"{sdk}-stream-20"
        long, short = (added(subject, workload) for workload in names)
        chunks = WORKLOADS[names[0]].chunks - WORKLOADS[names[1]].chunks
        return None if long is None or short is None else (long - short) / chunks

    def instructions_per_us(self, sdk: str) -> float | None:
        """Return how many instructions of the bare SDK's this machine did in a µs, the steadiest figure there is."""
        key = (Subject("bare", CANDIDATES["bare"].environment_for(sdk)), f"{sdk}-stream-200")
        counted, answers = self.counts.get(key), self.answers.get(key)
        return counted / median(one["cpu_us_per_call"] for one in answers) if counted and answers else None

    def start_up_added_ms(self, environment: str, program: str) -> float | None:
        """Return the CPU time in ms added to a start: the median of the rounds' differences."""
        mine, bare = (self.start_up_ms.get((name, program)) for name in (environment, "sdk"))
        return median(one - other for one, other in zip(mine, bare, strict=True)) if mine and bare else None


def markdown(header: Row, rows: Iterable[Row]) -> str:
    """Return a table."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def calls_tables(results: Results, subjects: Sequence[Subject]) -> str:
    """Return what each subject adds to a call and to a chunk, a table for each SDK."""
    tables = [(sdk, [one for one in subjects if _is_measured(results, one, sdk)]) for sdk in SDKS]
    return "\n\n".join(f"### {sdk}\n\n{_calls_table(results, sdk, able)}" for sdk, able in tables if able)


def _calls_table(results: Results, sdk: str, subjects: Iterable[Subject]) -> str:
    whole = f"{sdk}-chat", f"{sdk}-stream-200"
    header = ["", *(WORKLOADS[name].title for name in whole), "each chunk", "attributes"]
    rows: list[Row] = []
    for subject in subjects:
        cells = [_call_cell(results, subject, name) for name in whole]
        rows.append([_title(subject), *cells, _chunk_cell(results, subject, sdk), _attributes(results, subject, sdk)])
    return markdown(header, rows)


def _is_measured(results: Results, subject: Subject, sdk: str) -> bool:
    keys = [(subject, name) for name, workload in WORKLOADS.items() if workload.sdk == sdk]
    return any(key in results.counts or key in results.answers for key in keys)


def start_up_table(results: Results, programs: Sequence[str]) -> str:
    """Return what each environment adds to the start of a program under `opentelemetry-instrument`."""
    titles = {one.environment: one.title for one in reversed(CANDIDATES.values()) if one.launched}
    rows = []
    for environment in dict.fromkeys(environment for environment, _ in results.start_up_ms):
        cells = [_start_up_cell(results, environment, program) for program in programs]
        rows.append([titles[environment].split(",")[0] if environment != "sdk" else "without any", *cells])
    return markdown(["", *(f"`python -c '{program}'`" for program in programs)], rows)


def promises_table(results: Results) -> str:
    """Return each promise beside what was measured."""
    rows: list[Row] = []

    def promise(what: str, bound: float, unit: str, measured: float | None) -> None:
        if measured is None:
            rows.append([what, f"{bound:g} {unit}", MISSING, "not measured"])
            return
        kept = "kept" if measured <= bound else "**not kept**"
        rows.append([what, f"{bound:g} {unit}", f"{measured:.2f} {unit}", kept])

    for sdk in SDKS:
        environment = CANDIDATES["ours-memory"].environment_for(sdk)
        memory, sqlite = Subject("ours-memory", environment), Subject("ours-sqlite", environment)
        call, stream = f"{sdk}-chat", f"{sdk}-stream-200"
        if not _is_measured(results, memory, sdk):
            continue
        for subject, bound in ((memory, 1.0), (sqlite, 1.8)):
            if _is_measured(results, subject, sdk):
                promise(f"{sdk}: a call, {_title(subject)}", bound, "x floor", _counted(results, subject, call))
        promise(f"{sdk}: a stream of 200 chunks", 1.5, "x floor", _counted(results, memory, stream))
        chunk, per_us = results.per_chunk(memory, sdk, counted=True), results.instructions_per_us(sdk)
        promise(f"{sdk}: each chunk", 0.7, "µs", chunk / per_us if chunk is not None and per_us else None)
    for program in sorted({program for _, program in results.start_up_ms}, key=len):
        promise(f"start of `{program}`", 15, "ms", results.start_up_added_ms("ours", program))
    return markdown(["what", "at most", "measured", ""], rows)


def _counted(results: Results, subject: Subject, workload: str) -> float | None:
    return results.times_floor(subject, workload, counted=True)


def _title(subject: Subject) -> str:
    candidate = CANDIDATES[subject.candidate]
    own = (candidate.environment, *(candidate.environment_for(sdk) for sdk in SDKS))
    elsewhere = "" if subject.environment in own else f", on the SDKs of {subject.environment}"
    return candidate.title + elsewhere


def _call_cell(results: Results, subject: Subject, workload: str) -> str:
    if subject.candidate == "bare":
        count, answers = results.counts.get((subject, workload)), results.answers.get((subject, workload))
        timed = median(one["cpu_us_per_call"] for one in answers) if answers else None
        return _both(_shown(_thousands(count), "{:,.0f} {}", "k"), _shown(timed, "{:,.0f} {}", "µs"))
    parts = []
    for counted, unit in ((True, "k"), (False, "µs")):
        added = (results.added_instructions if counted else results.added_us)(subject, workload)
        ratio = results.times_floor(subject, workload, counted=counted)
        value = _thousands(added) if counted else added
        parts.append(_shown(value, "{:,.0f} {}", unit) + (f" ({ratio:.2f})" if ratio is not None else ""))
    return _both(*parts)


def _chunk_cell(results: Results, subject: Subject, sdk: str) -> str:
    if subject.candidate == "bare":
        return ""
    counted, timed = (results.per_chunk(subject, sdk, counted=counted) for counted in (True, False))
    return _both(_shown(_thousands(counted), "{:,.1f} {}", "k"), _shown(timed, "{:,.1f} {}", "µs"))


def _both(*parts: str) -> str:
    return " · ".join(part for part in parts if part != MISSING) or MISSING


def _start_up_cell(results: Results, environment: str, program: str) -> str:
    key = (environment, program)
    timed, count = results.start_up_ms.get(key), results.start_up_counts.get(key)
    if environment == "sdk":
        whole = median(timed) if timed else None
        return f"{_shown(whole, '{:,.0f} {}', 'ms')} · {_shown(_millions(count), '{:,.0f} {}', 'M')}"
    bare = results.start_up_counts.get(("sdk", program))
    added = None if count is None or bare is None else count - bare
    shown = _shown(results.start_up_added_ms(environment, program), "{:+,.0f} {}", "ms")
    return f"{shown} · {_shown(_millions(added), '{:+,.0f} {}', 'M')}"


def _attributes(results: Results, subject: Subject, sdk: str) -> str:
    said = results.said.get((subject, f"{sdk}-chat"))
    if said is None:
        return MISSING
    return str(said["attributes_per_span"]) if said["spans_per_call"] else "no span"


def _shown(value: float | None, form: str, unit: str) -> str:
    return MISSING if value is None else form.format(value, unit)


def _thousands(value: float | None) -> float | None:
    return None if value is None else value / 1e3


def _millions(value: float | None) -> float | None:
    return None if value is None else value / 1e6
