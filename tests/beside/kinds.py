"""Whether what a call returns is of the SDK's own type."""

from __future__ import annotations

MISTYPED: list[str] = []
"""What came instead of the SDK's own type, since it was last cleared."""


def of_type(found: object, kind: type) -> None:
    """Note what is not of the SDK's type; some of the others change it, and the call goes on with what there is."""
    if not isinstance(found, kind):
        MISTYPED.append(type(found).__name__)
