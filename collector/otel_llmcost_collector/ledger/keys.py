"""Ids as ledgers keep them: a time first, so that whatever is written next lies beside what was written last."""

from __future__ import annotations

from otel_llmcost.core.ledger import REVERSED

SLACK_US = 1_000_000
"""By how much an id's time and its entry's may differ; entries beyond that are strays, and looked for on their own."""
REVERSAL = f"-{REVERSED}"
_PLAIN, _DASHED = 32, 36
_IS_DASHED = b"\0"
_OTHER = b"\xff" * 17
_TIME_BYTES = 6
_MOST_MS = (1 << 8 * _TIME_BYTES) - 1


def key_of(charge_id: str) -> bytearray:
    """Return what an entry is kept under: 16 bytes of an id that is a UUID or 32 digits, and what stands behind it.

    A `bytearray`, since SQLite's driver takes such at once, and looks for an adapter of `bytes` each time.
    """
    if len(charge_id) < _PLAIN:
        return _other(charge_id)
    digits, suffix = charge_id, b""
    if len(charge_id) != _PLAIN:
        digits, suffix = _parted(charge_id)
    try:
        key = bytearray.fromhex(digits)
    except ValueError:
        return _other(charge_id)
    return key + suffix if key.hex() == digits else _other(charge_id)


def id_of(key: bytes) -> str:
    """Return the id of what is kept under a key."""
    if key.startswith(_OTHER):
        return key[len(_OTHER) :].decode("utf-8", "surrogatepass")
    digits, suffix = key[:16].hex(), key[16:]
    if suffix.startswith(_IS_DASHED):
        digits, suffix = _with_dashes(digits), suffix[1:]
    return digits + suffix.decode()


def first_key_at(at_us: int) -> bytearray:
    """Return what no key of an id of that time, or of a later one, lies before."""
    return bytearray(min(max(at_us // 1000, 0), _MOST_MS).to_bytes(_TIME_BYTES, "big"))


def is_stray(key: bytearray, at_us: int) -> bool:
    """Tell whether an id does not tell when its entry was."""
    return not -SLACK_US <= int.from_bytes(key[:_TIME_BYTES], "big") * 1000 - at_us <= SLACK_US


def tells_span(key: bytes | bytearray) -> bool:
    """Tell whether an id is made as `id_of_span` makes them, so that the span's own stands in it."""
    return not key.startswith(_OTHER) and key[16:17] != _IS_DASHED


def packed(digits: str | None, size: int) -> bytearray | None:
    """Return the bytes of a trace's or span's id; None: it is none, or of another form."""
    if digits is None:
        return None
    try:
        key = bytearray.fromhex(digits)
    except ValueError:
        return None
    return key if len(key) == size and key.hex() == digits else None


def _parted(charge_id: str) -> tuple[str, bytes]:
    """Part an id into its 32 digits and what is kept of the rest of it; no digits: it is of another form."""
    digits, suffix, mark = charge_id[:_PLAIN], charge_id[_PLAIN:], b""
    if charge_id[8] == "-":
        digits, suffix, mark = charge_id[:_DASHED].replace("-", ""), charge_id[_DASHED:], _IS_DASHED
        if _with_dashes(digits) != charge_id[:_DASHED]:
            return "none", b""
    is_ours = not suffix or (suffix[0] == "-" and suffix.isascii())
    return (digits, mark + suffix.encode()) if is_ours else ("none", b"")


def _with_dashes(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _other(charge_id: str) -> bytearray:
    return bytearray(_OTHER + charge_id.encode("utf-8", "surrogatepass"))
