"""Virtual environments of the candidates, the library that talks to callgrind, and what is installed where."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAMED = (
    *("openai", "anthropic", "google-genai", "mistralai", "cohere", "botocore", "groq", "ollama", "litellm"),
    *("httpx", "httpx2", "pydantic", "opentelemetry-sdk", "wrapt"),
)
VERSIONS = """
import importlib.metadata as m, json, sys
names = {d.metadata["Name"].lower(): d.version for d in m.distributions()}
print(json.dumps({name: names[name] for name in sys.argv[1:] if name in names}))
"""


class NotThereError(Exception):
    """Something that a measurement needs cannot be had; the message says what and why."""


def python_of(environment: str) -> str:
    """Return the interpreter of an environment."""
    return str(ROOT / f".venv-bench-{environment}" / "bin" / "python")


def launcher_of(environment: str) -> str:
    """Return the command `opentelemetry-instrument` of an environment."""
    return str(Path(python_of(environment)).with_name("opentelemetry-instrument"))


def prepare(environment: str) -> None:
    """Create the environment, or bring it up to date with its list.

    Raises:
        NotThereError: A package does not install.
    """
    folder = ROOT / f".venv-bench-{environment}"
    stamp, lists = folder / "installed", HERE / "requirements"
    sources = [lists / "sdk.txt", lists / "sdk-litellm.txt", lists / f"{environment}.txt"]
    if environment.startswith("ours"):  # installed as users do: an editable install costs every start of Python 50 ms
        sources += [ROOT / "pyproject.toml", *(ROOT / "otel_llmcost").rglob("*.py")]
    if stamp.exists() and all(stamp.stat().st_mtime > source.stat().st_mtime for source in sources):
        return
    pip = [python_of(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _install([sys.executable, "-m", "venv", str(folder)])
    _install([*pip, "--upgrade", "pip>=25.1"])
    _install([*pip, "--requirement", str(lists / f"{environment}.txt")])
    stamp.touch()


def _install(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotThereError(next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1]))


def versions(environment: str, *names: str) -> dict[str, str]:
    """Return the versions of those of the named packages that the environment has."""
    command = [python_of(environment), "-c", VERSIONS, *(names or NAMED)]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def counter_library() -> Path:
    """Build the library by which a worker tells callgrind what to count, and return its path.

    Raises:
        NotThereError: valgrind, its header or a C compiler is missing.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not shutil.which("valgrind") or not compiler:
        raise NotThereError("valgrind or a C compiler is missing")
    library = ROOT / ".venv-bench-sdk" / "callgrind.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "callgrind.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotThereError(f"{HERE / 'callgrind.c'} does not compile: {done.stderr.splitlines()[0]}")
    return library
