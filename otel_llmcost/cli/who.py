"""Who gives a command, for what is written down of it."""

from __future__ import annotations

import getpass

import click

by = click.option("--by", help="Who does it; left out: you, by the name you are logged in with.")
"""The option of commands whose doer is written down."""


def doer(by: str | None) -> str:
    """Return the name that was given, or the user's."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have a number only
        return "unknown"
