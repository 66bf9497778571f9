"""Undo what isal does to all code after it.

Its routines leave the upper halves of the vector registers in use. From then on everything in that thread that is
written for the lower halves waits for the upper ones, the interpreter too: on a Xeon of 2023, pricing a batch took 45 %
longer for ever after one call. OpenSSL's SHA-512 clears them at its end, as code for wide registers should.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hashlib import sha512
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def clear_upper_halves() -> None:
    """Run in a thread in which isal has run; takes a quarter of a microsecond."""
    sha512(b"").digest()


def clearing(work: Callable[P, R]) -> Callable[P, R]:
    """Return a function of isal that leaves nothing behind."""

    @wraps(work)
    def cleared(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        finally:
            clear_upper_halves()

    return cleared
