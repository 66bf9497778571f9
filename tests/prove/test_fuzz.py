"""Whatever bytes are sent, nothing happens but what may: libFuzzer looks for those that are not foreseen."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prove.fuzz.targets import TARGETS, seeds
from tests.prove.report import Report
from tests.prove.sizes import Size

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-fuzz" / "bin" / "python"
SHARES = {"traces": 0.3, "traces_json": 0.3}
"""Of the time; the others have a tenth each."""
_LATE_SECONDS = 60


@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_break_what_reads_them(target: str, size: Size, tmp_path: Path, report: Report) -> None:
    """Malformed is an answer; a crash, a hang, another result the second time, a span that is changed is a bug."""
    seconds = max(2, round(size.fuzz_seconds * SHARES.get(target, 0.1)))
    if not _has_atheris():
        count = _mutate_blindly(target, seconds, size.chance("fuzz", target))
        report.say("g  mutated blindly", target, f"{count:,} inputs in {seconds} s (atheris is not to be had here)")
        return

    said = [target, str(tmp_path), str(seconds), str(size.chance("fuzz", target).randrange(1, 2**31))]
    done = subprocess.run(
        [PYTHON, "-m", "tests.prove.fuzz.run", *said],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds + _LATE_SECONDS,
        check=False,
    )

    found = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert done.returncode == 0, f"{found}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    (runs,) = [line.rpartition(":")[2] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    report.say("g  fuzzed", target, f"{int(runs):,} inputs in {seconds} s, led by what they reach: none breaks it")


def _has_atheris() -> bool:
    return (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-c", "import atheris"], check=False, capture_output=True).returncode == 0
    )


def _mutate_blindly(target: str, seconds: float, chance: random.Random) -> int:
    """Change recorded inputs by chance, led by nothing."""
    known, count, until = list(seeds(target)), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        TARGETS[target](bytes(_mutated(chance.choice(known), chance)))
        count += 1
    return count


def _mutated(content: bytes, chance: random.Random) -> Iterator[int]:
    rate = chance.choice([0.0005, 0.005, 0.05])
    for byte in content:
        match chance.random() / rate:
            case drawn if drawn < 0.4:
                yield chance.randrange(256)
            case drawn if drawn < 0.6:
                yield byte ^ (1 << chance.randrange(8))
            case drawn if drawn < 0.8:
                yield from (byte, chance.randrange(256))
            case drawn if drawn >= 1:
                yield byte
