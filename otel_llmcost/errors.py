"""Every exception of ours.

LLMCostError
├── ConfigError            start-up only: file, line, key, what was expected
├── UnknownPriceError      no rate for this model: the charge is `unpriced`, never 0
├── WebhookError           a webhook that must not be believed
├── ProviderStatusError    a provider answered with an error; never raised, it stands for one in what we tell
├── ProviderEventError     a provider broke a stream off with an error; never raised either
├── StoreError             a store's own failure, raised `from` the driver's error
│   ├── WireError          what came over a network cannot be read
│   ├── StoreBusyError     somebody else holds the store; asked not to wait
│   └── UnstorableError    what was handed in cannot be stored: trying again does not help
└── RefusedError           the one thing the host is meant to see: a call that was not sent
    ├── BudgetExceededError
    └── RateLimitedError
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal


def one_line(text: str) -> str:
    """Take line breaks and what moves a terminal out of a text: names of users and agents are anybody's."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


class LLMCostError(Exception):
    """Base of all our errors."""

    def __reduce__(self) -> tuple[Callable[..., LLMCostError], tuple[object, ...]]:
        """Pickle facts and message as they are: a pool of processes that cannot unpickle an error is broken by it."""
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[LLMCostError], args: tuple[object, ...], facts: dict[str, object]) -> LLMCostError:
    error = kind.__new__(kind, *args)
    vars(error).update(facts)
    return error


class ConfigError(LLMCostError):
    """A setting that cannot be used."""

    def __init__(
        self, problem: str, *, file: str = "", line: int | None = None, key: str = "", expected: str = ""
    ) -> None:
        self.problem = problem
        self.file = file
        self.line = line
        self.key = key
        self.expected = expected
        place = file + (f":{line}" if line is not None else "")
        parts = [part for part in (place, key) if part]
        message = ": ".join([*parts, problem])
        super().__init__(f"{message} (expected {expected})" if expected else message)


class UnknownPriceError(LLMCostError):
    """No rate is known for what was used."""

    def __init__(self, provider: str, model: str, reason: str = "no rate in the price book") -> None:
        self.provider = provider
        self.model = model
        self.reason = reason
        super().__init__(f"{provider}/{model}: {reason}")


class StoreError(LLMCostError):
    """The store could not do what was asked."""


class WireError(StoreError):
    """What came over a network cannot be read."""


class StoreBusyError(StoreError):
    """The store is held by somebody else and the caller asked not to wait."""


class UnstorableError(StoreError):
    """What was handed in cannot be stored; trying again does not help."""


class ProviderStatusError(LLMCostError):
    """A provider answered with an error status; the host sees the SDK's own error of it."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the provider answered with status {status}")


class ProviderEventError(LLMCostError):
    """A provider broke a stream off with an event that tells an error; the host sees the SDK's own error of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the provider broke the stream off: {name}")


def error_type(error: BaseException) -> str:
    """Name an error as `error.type` does: the status or the error that a provider told, else the class."""
    match error:
        case ProviderStatusError(status=status):
            return str(status)
        case ProviderEventError(name=name):
            return name
        case _:
            return type(error).__qualname__


class WebhookError(LLMCostError):
    """A webhook that must not be believed: unsigned, wrongly signed, too old, or no JSON object."""


class RefusedError(LLMCostError):
    """A call that was not sent, because it does not fit what its owner allowed."""

    def __init__(
        self,
        message: str,
        *,
        name: str,
        scope: str,
        limit: Decimal,
        balance: Decimal,
        retry_after_seconds: float | None,
    ) -> None:
        super().__init__(one_line(message))
        self.name = name
        """Name of the budget or limit that refused."""
        self.scope = scope
        """Whose balance it was, such as `user=u-7`; empty for a balance of all calls."""
        self.limit = limit
        self.balance = balance
        """What was settled and reserved when the call was refused, in the limit's unit."""
        self.retry_after_seconds = retry_after_seconds
        """Seconds until the window ends; None: waiting does not help."""

    @classmethod
    def stopped(
        cls, *, scope: str, by: str, reason: str, until: datetime | None, retry_after_seconds: float | None
    ) -> RefusedError:
        """Refuse a call that somebody has stopped."""
        why = f": {reason}" if reason else ""
        end = f" until {until:%Y-%m-%d %H:%M %Z}" if until is not None else ""
        return cls(
            f"{scope or 'all calls'} stopped by {by}{end}{why}; the call was not sent",
            name="stop",
            scope=scope,
            limit=Decimal(0),
            balance=Decimal(0),
            retry_after_seconds=retry_after_seconds,
        )


class BudgetExceededError(RefusedError):
    """The call's estimated cost does not fit into what is left of a budget."""

    budget: str
    requested: Decimal | None
    """The estimate of the refused call in USD; None: no price is known for it."""
    window_end: datetime | None

    @classmethod
    def over_limit(  # noqa: PLR0913 -- the facts of a refusal, all keyword-only
        cls,
        *,
        budget: str,
        scope: str,
        limit: Decimal,
        balance: Decimal,
        requested: Decimal,
        window_end: datetime | None,
        retry_after_seconds: float | None,
    ) -> BudgetExceededError:
        """Refuse a call that is too dear for what is left."""
        until = f" until {window_end:%Y-%m-%d %H:%M %Z}" if window_end is not None else ""
        error = cls(
            f"budget {_of(budget, scope)}: the call needs about ${requested:.6f}, "
            f"${max(limit - balance, Decimal(0)):.6f} of ${limit.normalize():f} is left{until}; it was not sent",
            name=budget,
            scope=scope,
            limit=limit,
            balance=balance,
            retry_after_seconds=retry_after_seconds,
        )
        error.budget, error.requested, error.window_end = budget, requested, window_end
        return error

    @classmethod
    def paused(  # noqa: PLR0913 -- the facts of a refusal, all keyword-only
        cls,
        *,
        budget: str,
        scope: str,
        limit: Decimal,
        balance: Decimal,
        level: str,
        paused: str,
        window_end: datetime | None,
    ) -> BudgetExceededError:
        """Refuse a call of those that a budget pauses once so much is spent."""
        until = f" until {window_end:%Y-%m-%d %H:%M %Z}" if window_end is not None else ""
        error = cls(
            f"budget {_of(budget, scope)} is at {level} and pauses {paused or 'all calls'}{until}; "
            "the call was not sent",
            name=budget,
            scope=scope,
            limit=limit,
            balance=balance,
            retry_after_seconds=None,
        )
        error.budget, error.requested, error.window_end = budget, None, window_end
        return error

    @classmethod
    def unpriced(cls, *, budget: str, scope: str, limit: Decimal, provider: str, model: str) -> BudgetExceededError:
        """Refuse a call whose price nobody knows, for a budget that wants it so."""
        error = cls(
            f"budget {_of(budget, scope)} refuses calls without a known price: {provider}/{model}; it was not sent",
            name=budget,
            scope=scope,
            limit=limit,
            balance=Decimal(0),
            retry_after_seconds=None,
        )
        error.budget, error.requested, error.window_end = budget, None, None
        return error

    @classmethod
    def unreachable(cls, *, budget: str, scope: str, limit: Decimal, problem: str) -> BudgetExceededError:
        """Refuse a call whose balance cannot be read, for a budget that is closed while its store is away."""
        error = cls(
            f"budget {_of(budget, scope)} is closed while its store is out of reach ({problem}); the call was not sent",
            name=budget,
            scope=scope,
            limit=limit,
            balance=Decimal(0),
            retry_after_seconds=None,
        )
        error.budget, error.requested, error.window_end = budget, None, None
        return error

    @classmethod
    def misconfigured(cls, reason: str) -> BudgetExceededError:
        """Refuse every call, because all is to be strict and a budget could not be read."""
        error = cls(
            f"no call is sent: {reason}",
            name="",
            scope="",
            limit=Decimal(0),
            balance=Decimal(0),
            retry_after_seconds=None,
        )
        error.budget, error.requested, error.window_end = "", None, None
        return error


def _of(name: str, scope: str) -> str:
    return f"{name!r} of {scope}" if scope else repr(name)


class RateLimitedError(RefusedError):
    """The call does not fit into a rate limit."""

    measure: str
    """What is limited: `requests`, `tokens` or `cost`."""
    requested: Decimal
    """What the call would have taken of it."""

    @classmethod
    def over_limit(  # noqa: PLR0913 -- the facts of a refusal, all keyword-only
        cls,
        *,
        limit_name: str,
        scope: str,
        limit: Decimal,
        balance: Decimal,
        requested: Decimal,
        measure: str,
        window: str,
        retry_after_seconds: float | None,
    ) -> RateLimitedError:
        """Refuse a call that comes too soon after others."""
        unit = "USD" if measure == "cost" else measure
        again = "" if retry_after_seconds is None else f"; try again in {retry_after_seconds:.1f} s"
        error = cls(
            f"limit {_of(limit_name, scope)}: {_plain(balance)} of {_plain(limit)} {unit} per {window} are taken, "
            f"the call needs {_plain(requested)}; it was not sent{again}",
            name=limit_name,
            scope=scope,
            limit=limit,
            balance=balance,
            retry_after_seconds=retry_after_seconds,
        )
        error.measure, error.requested = measure, requested
        return error


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
