"""Amounts of money: exact `Decimal` USD in rules, whole nano-USD where they are added up."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NANO_PER_USD = 1_000_000_000
_NANO = Decimal("1e-9")
_INCREDIBLE = Decimal(1_000_000_000)
"""USD for one call: more than any costs, and what stores can still hold."""


def to_nano(usd: Decimal) -> int:
    """Round to whole nano-USD, half to even; done once per charge."""
    return int(usd.quantize(_NANO, rounding=ROUND_HALF_EVEN).scaleb(9))


def from_nano(nano_usd: int) -> Decimal:
    """Return nano-USD as exact USD."""
    return Decimal(nano_usd).scaleb(-9)


def parse_usd(value: object) -> Decimal:
    """Read an amount as people write it in a file: `10`, `0.1`, `"10.00"`.

    A float is taken by its shortest decimal form, so 0.1 is a tenth.

    Raises:
        ValueError: not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        msg = f"not an amount of money: {value!r}"
        raise ValueError(msg)  # noqa: TRY004 -- one error for whatever is not an amount
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        msg = f"not an amount of money: {value!r}"
        raise ValueError(msg) from None
    if not amount.is_finite():
        msg = f"not a finite amount of money: {value!r}"
        raise ValueError(msg)
    return amount


def nano_of(reported: object) -> int | None:
    """Read a cost in USD that a provider reports; None: it reports none that makes sense."""
    if reported is None:
        return None
    try:
        usd = parse_usd(reported)
    except ValueError:
        return None
    return to_nano(usd) if 0 <= usd < _INCREDIBLE else None


def format_usd(usd: Decimal) -> str:
    """Show an amount to people: cents where they say enough, more digits where it is small."""
    size = abs(usd)
    digits = 2 if size >= 1 or size == 0 else 4 if size >= Decimal("0.01") else 6
    return f"{'-' if usd < 0 else ''}${size:,.{digits}f}"
