"""The one place where our own faults end: the host's call goes on, the fault is logged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from otel_llmcost.errors import LLMCostError, RefusedError

logger = logging.getLogger("otel_llmcost")

seen: Counter[str] = Counter()
"""How often each fault was met; `doctor` and tests look here."""

reraise = False
"""Set by our tests, so that a fault fails the suite instead of hiding in a log."""


@contextmanager
def contained(what: str) -> Generator[None]:
    """Let no fault of ours out; a refusal is no fault.

    Args:
        what: what is not done if this fails, such as "price the answer".
    """
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is ours and must not reach the host
        guard(what, error)


def guard(what: str, error: Exception) -> None:
    """Contain a fault where a `with` would cost too much; in our tests it is raised again."""
    if reraise:
        raise error
    fault(what, error)


def fault(what: str, error: Exception) -> None:
    """Log a fault: in full the first time, then each power of ten."""
    name = f"{what}: {type(error).__name__}"
    seen[name] += 1
    count = seen[name]
    if count == 1:
        trace = None if isinstance(error, LLMCostError) else error  # what we raise ourselves says all there is to say
        logger.warning("could not %s; the call itself is not affected: %s", what, error, exc_info=trace)
    elif str(count).strip("0") == "1":
        logger.warning("could not %s, %d times so far: %s", what, count, error)
