"""What every wrapper does around a call, whatever it stands around."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.directory import Found
from otel_llmcost.errors import ProviderStatusError, RefusedError
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver
from otel_llmcost.instrumentation.errands import held
from otel_llmcost.instrumentation.shaping import Shaped
from otel_llmcost.instrumentation.turn import Turn
from otel_llmcost.telemetry.spans import CallMark

BAD_REQUEST = frozenset({400, 422})
ERROR_STATUS = 400
TIMED_OUT = frozenset({408, 504, 524})
"""Somebody between us and the model gave up waiting: the model may have answered, and been paid."""
_ENDED_FROM_OUTSIDE = (CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit, TimeoutError)


def reserve(driver: Driver, turn: Turn) -> None:
    """Take what a call needs.

    Raises:
        RefusedError: it does not fit. Nothing else: a fault of ours lets the call go on unaccounted.
    """
    try:
        driver.reserve(turn)
        if turn.change is not None:
            turn.unapplied = turn.change  # until somebody applies it
    except RefusedError as error:
        raise held(error)  # noqa: B904 -- mostly the error itself
    except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
        driver.left(turn, error)
        guard("reserve for a call", error)
    except BaseException as error:  # somebody interrupts a call that waits
        driver.left(turn, error)
        raise


async def areserve(driver: Driver, turn: Turn) -> None:
    """Take what a call needs, without waiting on the event loop.

    Raises:
        RefusedError: it does not fit. Nothing else: a fault of ours lets the call go on unaccounted.
    """
    try:
        await driver.areserve(turn)
        if turn.change is not None:
            turn.unapplied = turn.change  # until somebody applies it
    except RefusedError as error:
        raise held(error)  # noqa: B904 -- mostly the error itself
    except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
        driver.left(turn, error)
        guard("reserve for a call", error)
    except BaseException as error:  # its task is cancelled
        driver.left(turn, error)
        raise


class Sent:
    """A paid request below an SDK, between its being sent and its answer being read."""

    __slots__ = ("found", "mark", "shaped", "turn")

    def __init__(self, found: Found, turn: Turn | None, mark: object) -> None:
        self.found = found
        self.turn = turn
        """None: a call around it accounts for it."""
        self.mark = mark
        self.shaped: Shaped | None = None

    def failed(self, error: BaseException) -> None:
        """Settle a request that brought no answer, or note an attempt of a call around it."""
        with contained("settle a failed call"):
            is_lost = may_be_billed(self.found.api, error)
            if self.turn is not None:
                self.turn.fail(error, may_be_billed=is_lost)
            elif is_lost:
                self._note_loss()

    def answered(self, status: int, read: Callable[[Turn], None]) -> None:
        """Read the usage of an answer, now or as its reader takes it in."""
        turn = self.turn
        try:
            if turn is None:
                if status in TIMED_OUT:
                    self._note_loss()
            elif status >= ERROR_STATUS:
                turn.fail(ProviderStatusError(status), may_be_billed=status in TIMED_OUT)
            else:
                if self.shaped is not None:
                    self.shaped.answered()
                read(turn)
        except Exception as error:  # noqa: BLE001 -- ours; the host gets its answer
            guard("read an answer", error)

    def _note_loss(self) -> None:
        """Note an attempt of a call whose end nobody saw, or that somebody between us and the model gave up on."""
        if isinstance(self.mark, CallMark):
            self.mark.lost += 1


def may_be_billed(api: Api, error: BaseException) -> bool:
    """Tell whether a call that ended so was sent, with its end unseen, so that the provider may have billed it."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status < ERROR_STATUS or status in TIMED_OUT
    if any(each.__name__ in api.unsent for each in type(error).__mro__):
        return False
    if isinstance(error, _ENDED_FROM_OUTSIDE):
        return True
    names = {each.__name__ for link in _chain(error) for each in type(link).__mro__}
    if names & api.unsent:
        return False
    return bool(names & api.unanswered) or not isinstance(error, Exception)


def _chain(error: BaseException | None) -> list[BaseException]:
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or error.__context__
    return links
