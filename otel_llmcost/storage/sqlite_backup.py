"""Copying a SQLite file while others write to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from otel_llmcost.errors import StoreError


def backup(path: Path, to: Path) -> None:
    """Copy a file as it is at this moment; who writes to it is not disturbed.

    Raises:
        StoreError: there is no such file, the copy's name is taken, or one of them cannot be used.
    """
    if not path.is_file():
        msg = f"there is no {path}"
        raise StoreError(msg)
    if to.exists():
        msg = f"{to} is there already: name a file that is not"
        raise StoreError(msg)
    part = to.with_name(f"{to.name}.part")
    try:
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            _copy(source, part)
        finally:
            source.close()
        part.replace(to)  # so that what has that name is whole
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        msg = f"{path} cannot be copied to {to}: {error}"
        raise StoreError(msg) from error


def _copy(source: sqlite3.Connection, to: Path) -> None:
    copy = sqlite3.connect(to)
    try:
        source.backup(copy)
    finally:
        copy.close()
