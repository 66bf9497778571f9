"""tiktoken's encodings, made from tables shipped with us: nothing is ever downloaded.

An encoding takes about 0.3 s and 72 MiB to make, so it is made when first needed, once, and whoever runs an event loop
should have it made in a thread of its own beforehand (`exact.warm`). The host's own tiktoken is left as it is: its
settings and registry are not touched, and an encoding that the host has made already is shared.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_llmcost.tokens import ranks

if TYPE_CHECKING:
    from tiktoken import Encoding

SHIPPED = ("o200k_base", "cl100k_base")

_DATA = Path(__file__).with_name("data")
_made: dict[str, Encoding] = {}
_making = threading.Lock()


def made(name: str) -> Encoding | None:
    """Return an encoding that is there already, ours or the host's; None: it must be made."""
    encoding = _made.get(name)
    if encoding is None and (registry := sys.modules.get("tiktoken.registry")) is not None:
        encoding = registry.ENCODINGS.get(name)
    return encoding


def make(name: str) -> Encoding:
    """Return an encoding, made now if it is not there yet; safe for threads.

    Raises:
        ValueError: the installed tiktoken means another table by this name than the one that is shipped.
    """
    with _making:
        encoding = made(name)
        if encoding is None:
            from tiktoken import Encoding  # noqa: PLC0415 -- takes 18 ms, and most processes never count exactly

            encoding = _made[name] = Encoding(**_definition(name))
        return encoding


def _definition(name: str) -> dict[str, Any]:
    """Take pattern and special tokens from tiktoken's own definition, and the table from here.

    The definition fetches its table by a function of its module; in a private copy of the module that function is ours.
    """
    spec = importlib.util.find_spec("tiktoken_ext.openai_public")
    if spec is None or spec.loader is None:
        msg = "tiktoken has no definitions of encodings"
        raise ValueError(msg)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.load_tiktoken_bpe = _table  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue] -- the copy's own
    definition: dict[str, Any] = module.ENCODING_CONSTRUCTORS[name]()
    return definition


def _table(location: str, expected_hash: str | None = None) -> dict[bytes, int]:
    name = location.rpartition("/")[2].removesuffix(".tiktoken")
    packed = (_DATA / f"{name}.ranks").read_bytes()
    if expected_hash is not None and ranks.digest(packed) != expected_hash:
        msg = f"tiktoken expects another table {name!r} (SHA-256 {expected_hash}) than the one shipped"
        raise ValueError(msg)
    return ranks.unpack(packed)


def _renew_lock() -> None:
    """A fork may have come while another thread was making an encoding; that thread is not in the child."""
    global _making  # noqa: PLW0603 -- the one piece of state that a fork breaks
    _making = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
