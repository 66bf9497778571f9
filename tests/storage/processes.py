"""Other processes that use a ledger file, for tests."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Process:
    """A Python program on its own, told by its standard input to go, answering JSON on its standard output."""

    def __init__(self, program: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def line(self) -> str:
        """Wait for the next line it says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        return self._process.wait(60)

    def answer(self) -> object:
        """Let it come to its end; return what it answers."""
        answer = json.loads(self.line())
        assert self.wait() == 0
        return answer


def race(program: str, count: int, *arguments: object) -> list[object]:
    """Start a program several times, let all begin at one moment, return what each answers."""
    racers = [Process(program, *arguments, number) for number in range(count)]
    for racer in racers:
        assert racer.line() == "ready"
    for racer in racers:
        racer.go()
    return [racer.answer() for racer in racers]
