"""Finds `llmcost.toml` and parses it; whatever is wrong with it is told, never raised."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

NAME = "llmcost.toml"
FOLDER = "otel-llmcost"
_STRICT = re.compile(r"^[ \t]*strict[ \t]*=[ \t]*true\b", re.MULTILINE)
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class File(NamedTuple):  # quicker to create than a dataclass: it counts at every agent's start
    """What was found."""

    path: Path | None = None
    """None: there is no file."""
    text: str = ""
    document: Mapping[str, object] = MappingProxyType({})
    problem: str = ""
    """Why the document is empty; empty: nothing is wrong."""
    line: int | None = None
    """Where the problem is."""


def candidates(named: str | None, environ: Mapping[str, str], *, cwd: Path, home: Path) -> tuple[Path, ...]:
    """List where the file may be, best first."""
    if named is not None:
        return (home / named[2:] if named.startswith("~/") else cwd / named,)
    return cwd / NAME, user_folder(environ, "XDG_CONFIG_HOME", home / ".config") / NAME


def user_folder(environ: Mapping[str, str], variable: str, default: Path) -> Path:
    """Return our folder among the user's of one purpose; a relative path in the variable does not count."""
    named = Path(environ.get(variable, ""))
    return (named if named.is_absolute() else default) / FOLDER


def first(paths: Sequence[Path], *, must_exist: bool) -> File:
    """Read the first file that is there."""
    for path in paths:
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            if must_exist:
                return File(path=path, problem="there is no such file")
        except OSError as error:
            return File(path=path, problem=f"cannot be read: {error.strerror}")
        else:
            return _parsed(path, content)
    return File()


def _parsed(path: Path, content: bytes) -> File:
    from tomllib import loads  # noqa: PLC0415 -- only where there is a file: agents start without it

    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return File(path=path, text="", problem="is not UTF-8 text", line=line)
    try:
        return File(path=path, text=text, document=loads(text))
    except (ValueError, RecursionError) as error:
        reason = _PLACE.sub("", str(error))
        problem = f"is not valid TOML: {reason}"
        return File(path=path, document=_of_broken(text), problem=problem, line=_line(str(error), text))


def _line(message: str, text: str) -> int | None:
    place = _PLACE.search(message)
    if place is None:
        return None
    return int(place[1]) if place[1] else text.rstrip().count("\n") + 1


def _of_broken(text: str) -> dict[str, object]:
    """Keep the one word that matters most where the rest cannot be read: whoever wrote it wants no call unlimited."""
    return {"strict": True} if _STRICT.search(text.partition("\n[")[0]) else {}
