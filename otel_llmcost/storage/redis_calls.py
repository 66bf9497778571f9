"""What Redis is asked: where everything lies there, and how an act becomes calls of scripts, one for each slot."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.ledger import REVERSED
from otel_llmcost.core.policy import micros
from otel_llmcost.errors import UnstorableError
from otel_llmcost.storage.wire import encode

T = TypeVar("T")
_LUA = Path(__file__).parent / "lua"
_SHARED = ("amounts", "balances", "marks")
MOST_AMOUNT = 10**18
"""A billion USD: what one call may come to, so that sums of them stay within 64 bits."""
_SHARDS = 16
"""Of the ledger and of the register of calls, in a cluster."""


class Call(NamedTuple):
    """One command."""

    words: tuple[str | int | bytes, ...]
    text: str | None = None
    """Of a script: sent in place of its hash where the server does not know it yet."""

    @property
    def key(self) -> str:
        """The first key."""
        return str(self.words[3 if self.text else 1])

    @property
    def with_text(self) -> Call:
        """The same call for a server that does not know the script."""
        return Call(("EVAL", self.text or "", *self.words[2:]))


Asking = Generator[Sequence[Call], list[Any], T]
"""An act of a store: yields calls, all of which may be sent at once, and is sent their answers."""


class Part(NamedTuple):
    """A part of an act whose keys lie in one slot."""

    kind: str
    """What the script knows such parts by."""
    keys: tuple[str, ...]
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything lies: keys that share a tag (what stands in braces) lie in one slot of a cluster."""

    prefix: str
    is_split: bool
    """An act is split by slot, as a cluster needs it; else it is one call, all or nothing."""

    @property
    def shards(self) -> range:
        """Numbers of the shards."""
        return range(_SHARDS if self.is_split else 1)

    def shard(self, charge_id: str) -> int:
        """Say where a charge lies; one that takes it back lies beside it."""
        return crc32(charge_id.removesuffix(f"-{REVERSED}").encode()) % len(self.shards)

    def of_balance(self, key: BalanceKey) -> tuple[str, ...]:
        """Name the keys of a balance.

        Cells, buckets and holds; in a cluster charge ids booked, alerts due and commits booked too.
        """
        named = sha1(f"{key.budget}\0{key.subject}".encode(), usedforsecurity=False).hexdigest()[:20]
        names = ("cells", "buckets", "holds", *(("booked", "due", "commits") if self.is_split else ()))
        return tuple(f"{{{self.prefix}:b:{named}}}:{name}" for name in names)

    def of_shard(self, shard: int, *names: str) -> tuple[str, ...]:
        """Name keys of a shard."""
        return tuple(f"{{{self.prefix}:l:{shard}}}:{name}" for name in names)

    def common(self, name: str) -> str:
        """Name a key that there is one of."""
        return f"{{{self.prefix}:all}}:{name}"

    def in_outbox(self, name: str) -> str:
        """Name a key of the outbox."""
        return f"{{{self.prefix}:outbox}}:{name}"

    def calls(self, script: str, head: Mapping[str, object], parts: Sequence[Part]) -> list[Call]:
        """Ask for one act: one call, or one for each slot that its parts lie in."""
        if not self.is_split:
            return [_call(script, head, parts)]
        by_tag: dict[str, list[Part]] = {}
        for part in parts:
            by_tag.setdefault(part.keys[0].partition("}")[0], []).append(part)
        return [_call(script, head, together) for together in by_tag.values()]


def index_part(layout: Layout, key: BalanceKey, drop_at_us: int, at: datetime) -> Part:
    """Enter a balance among those that are read and forgotten."""
    keys = (layout.common("drops"), layout.common(f"subjects:{key.budget}"))
    member = json.dumps(key)
    return Part(
        "index", keys, {"drop": str(drop_at_us), "member": member, "subject": key.subject, "at": str(micros(at))}
    )


@cache
def script(name: str) -> tuple[str, str]:
    """Read a script: its hash and its text."""
    text = "\n".join((_LUA / f"{each}.lua").read_text(encoding="utf-8") for each in (*_SHARED, name))
    return sha1(text.encode(), usedforsecurity=False).hexdigest(), text


def call_script(name: str, keys: Sequence[str], *arguments: str | bytes) -> Call:
    """Ask for a script on plain keys and arguments."""
    digest, text = script(name)
    return Call(("EVALSHA", digest, len(keys), *keys, *arguments), text)


def pairs(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Read what a script returns two by two."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def checked(amount: int) -> str:
    """Write an amount for a script.

    Raises:
        UnstorableError: no call comes to so much.
    """
    if abs(amount) > MOST_AMOUNT:
        msg = f"{amount} is more than a store keeps of one call"
        raise UnstorableError(msg)
    return str(amount)


def _call(name: str, head: Mapping[str, object], parts: Sequence[Part]) -> Call:
    keys: list[str] = []
    request: dict[str, Any] = dict(head)
    for part in parts:
        request.setdefault(part.kind, []).append({"key": len(keys) + 1, **part.body})
        keys += part.keys
    return call_script(name, keys, encode(request))
