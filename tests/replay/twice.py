"""A program that runs twice: without us, then with us. It must not be able to tell."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from tests.instrumentation.conftest import Process, Start
from tests.replay.server import ReplayServer, Reply

Program = Callable[[], Any]
_TIME = re.compile(r"\d\d:\d\d:\d\d")
"""Of an answer's header, which some errors show."""


def twice(
    start: Start, replay: ReplayServer, replies: Sequence[Reply], program: Program, *, toml: str = "", **environ: str
) -> Process:
    """Run a program without us, then with us; what it finds, or what is raised, must be the same."""
    replay.replies = [*replies]
    alone = _found_by(program)
    sent = [(each.path, _body(each.body, each.headers)) for each in replay.received]
    process = start(toml, **environ)
    replay.replies, replay.received = [*replies], []
    assert _found_by(program) == alone
    assert [(each.path, _body(each.body, each.headers)) for each in replay.received] == sent
    return process


def _found_by(program: Program) -> tuple[str, ...]:
    try:
        found: Any = program()
    except Exception as error:  # noqa: BLE001 -- whatever an SDK raises
        return "raised", repr(type(error)), _TIME.sub("", str(error))
    return str(found.__class__), repr(found)


def _body(body: bytes, headers: dict[str, str]) -> bytes:
    """Return what was sent; the parts of a form are parted by a word that is new each time."""
    _, _, parting = headers.get("content-type", "").partition("boundary=")
    return body.replace(parting.encode(), b"--") if parting else body


def run(program: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run an asynchronous program."""
    return asyncio.run(program())
