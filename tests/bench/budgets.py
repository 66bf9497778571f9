"""Measure what budgets cost a call, by how many are in force and how many match, and write it into docs/benchmarks.md.

`budgets.py` measures all; `budgets.py IN_FORCE MATCHING STORE USERS CALLS` is one of its processes, under callgrind.
"""

import gc
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from environments import HERE, ROOT, counter_library, prepare, python_of, versions
from measure import VALGRIND, total
from report import markdown
from subjects import WHO

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- budgets -->\n", "<!-- end of budgets -->\n"
CALLS = 10
FIRST_CALLS = 20
"""They import, build schemas and specialise byte code; not counted."""
STORES = {"memory": "memory://", "sqlite": "sqlite:///{folder}/ledger.db"}

BUDGET = """
[[budget]]
name = "{name}"
limit = 1000000.00
window = "{window}"
{scope}
"""
WINDOWS = ("day", "month", "hour", "week", "24h")
MATCHING = (
    'scope = { team = "support" }',
    'per = ["user"]',
    'scope = { feature = "ch*" }\nper = ["agent"]',
    'scope = { model = "gpt-*" }',
    'scope = { user = "u-*" }',
)
OTHERS = ('team = "sales-{n}"', 'user = "vip-{n}-*"', 'model = "claude-*-{n}"', 'agent = "*-{n}", user = "u-{n}-*"')
"""Of budgets that match no call here: plain names, wild ones, and of a dimension with a great many values."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is in force while calls are made."""

    in_force: int
    matching: int
    store: str
    users: str = "one"
    """`many`: each call is for another user, never seen before."""


CASES = tuple(
    Case(in_force, matching, store)
    for in_force, matching in ((0, 0), (1, 0), (10, 0), (100, 0), (1, 1), (10, 1), (100, 1), (10, 5), (100, 5))
    for store in STORES
)
USERS = tuple(Case(in_force, 0, "memory", "many") for in_force in (0, 1, 100))


def settings(case: Case, folder: str) -> str:
    """Return the settings of a case."""
    told = [BUDGET.format(name=f"matching-{n}", window=WINDOWS[n], scope=MATCHING[n]) for n in range(case.matching)]
    for n in range(case.in_force - case.matching):
        scope = f"scope = {{ {OTHERS[n % len(OTHERS)].format(n=n)} }}"
        told.append(BUDGET.format(name=f"other-{n}", window=WINDOWS[n % len(WINDOWS)], scope=scope))
    return f'store = "{STORES[case.store].format(folder=folder)}"\n' + "\n".join(told)


def make_calls(case: Case, count: int) -> None:
    """Make calls with these budgets in force, and count so many after the first."""
    import wire
    from pipeline import Telemetry
    from turn_on import ours
    from worker import Counter, run

    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "llmcost.toml"
        config.write_text(settings(case, folder))
        telemetry = Telemetry()
        ours("", str(config))(telemetry, "openai")
        attribute = import_module("otel_llmcost").attribute
        call, user = wire.call("openai"), itertools.count()

        def of_another() -> Any:
            with attribute(user=f"u-{next(user)}"):
                return call()

        with attribute(**WHO):
            made = of_another if case.users == "many" else call
            run(FIRST_CALLS, made, telemetry)
            gc.collect()
            gc.freeze()
            with Counter(os.environ.get("BENCH_COUNTER")).counting():
                run(count, made, telemetry)
        print(json.dumps(in_effect()))


def in_effect() -> dict[str, int]:
    """Return how many budgets are in force, and how many of them a call counted on."""
    driver = import_module("otel_llmcost.instrumentation.runtime").driver()
    spans = driver.policy.spans(driver.now())
    called = {balance.budget for balance in driver.writer.store.balances(spans) if balance.calls}
    return {"in_force": len(spans), "matching": len(called)}


def instructions(case: Case | None, library: Path) -> float:
    """Return the instructions of one call; None: of the SDK alone."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "counts"
        counting = [*VALGRIND, "--instr-atstart=no", f"--callgrind-out-file={output}"]
        environment = os.environ | {"PYTHONHASHSEED": "0", "BENCH_COUNTER": str(library)}
        if case is None:
            made = [python_of("ours"), str(HERE / "worker.py"), "bare", "openai-chat", str(CALLS)]
        else:
            said = [str(case.in_force), str(case.matching), case.store, case.users, str(CALLS)]
            made = [python_of("ours"), str(Path(__file__)), *said]
        subprocess.run([*counting, *made], env=environment, check=True, stdout=subprocess.DEVNULL)
        return total(output.with_name("counts.1")) / CALLS


def measured(cases: Sequence[Case | None], at_once: int) -> Iterator[tuple[Case | None, float]]:
    """Count all cases, so many at a time."""
    prepare("ours")
    library = counter_library()
    with ThreadPoolExecutor(at_once) as pool:
        for case, count in zip(cases, pool.map(lambda case: instructions(case, library), cases), strict=True):
            print(f"{datetime.now(UTC):%H:%M:%S} {case}: {count / 1e3:,.0f} k", file=sys.stderr, flush=True)
            yield case, count


def section(counts: dict[Case | None, float], facts: str) -> str:
    """Return what the page says of them."""
    bare = counts[None]
    rows: list[list[str]] = []
    for case in CASES:
        if case.store == "memory":
            added = [counts[Case(case.in_force, case.matching, store)] - bare for store in STORES]
            rows.append(
                [f"{case.in_force} in force, {case.matching} match", *(f"{each / 1e3:,.0f} k" for each in added)]
            )
    users = [[f"{case.in_force} in force, none matches", f"{(counts[case] - bare) / 1e3:,.0f} k"] for case in USERS]
    return f"""{BEGIN}## Added by budgets

Written by `make bench-budgets`; change nothing here by hand.

- {facts}

Thousand instructions added to a call of openai's SDK alone, until all is written; the writer behind the calls included.
Those that match no call have scopes of a plain name, of wild patterns, and of users of whom there are very many.

{markdown(["", *STORES], rows)}

The same with each call for another user, whom nobody saw before, which is named around the call:

{markdown(["", "memory"], users)}

{promise("five budgets that match of ten", counts, "sqlite", ((10, 5), (10, 1)), 2)}
{promise("a hundred budgets that match nothing", counts, "memory", ((100, 0), (1, 0)), 1.01)}

Lines that should be alike differ by up to 4 % on SQLite, whose writer wakes when it may, and by up to 2 % in memory.

{END}"""


def promise(
    what: str, counts: dict[Case | None, float], store: str, pair: Sequence[tuple[int, int]], bound: float
) -> str:
    """Return a promise beside what was measured: what some budgets add to a call as a multiple of what one adds."""
    these, those = (counts[Case(*each, store)] - counts[None] for each in pair)
    verdict = "kept" if these <= bound * those else "**not kept**"
    times = f"{these / those:.2f} times what one such adds"
    return f"- On {store}, {what} add {times}; promised are at most {bound:g}: {verdict}."


def kept(page: str) -> str:
    """Return the section of a page, to be put into one that is written anew."""
    return BEGIN + page.partition(BEGIN)[2].partition(END)[0] + END if BEGIN in page else ""


def facts() -> str:
    """Return what was measured on."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}, "
        f"openai {versions('ours')['openai']}, {CALLS} calls each"
    )


def main() -> None:
    """Measure, and write the page; or be one of the processes that are measured."""
    if sys.argv[1:]:
        in_force, matching, store, users, count = sys.argv[1:]
        make_calls(Case(int(in_force), int(matching), store, users), int(count))
        return
    counts = dict(measured((None, *CASES, *USERS), os.cpu_count() or 1))
    page, new = PAGE.read_text(), section(counts, facts())
    PAGE.write_text(page.replace(kept(page), new) if BEGIN in page else f"{page}\n{new}")


if __name__ == "__main__":
    main()
