"""Who may ask for what: bearer tokens, of which only hashes are known here."""

from __future__ import annotations

import hmac
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal, cast, get_args

from otel_llmcost.errors import ConfigError

Right = Literal["agent", "reader", "operator", "ingest"]
"""agent: reserves and settles · reader: reads balances, ledger and alerts · operator: both, and decides · ingest: sends
spans, metrics and logs."""
RIGHTS: frozenset[Right] = frozenset(get_args(Right))
_HASH = re.compile("[0-9a-f]{64}")
_BEARER = re.compile(r"[Bb]earer +(\S+)")
_TEAM = re.compile(r"[^*?\[\]\s][^*?\[\]]*")
_KEYS = frozenset({"name", "sha256", "rights", "team"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Somebody who may ask."""

    name: str
    sha256: str = field(repr=False)
    """Of the token, as 64 hexadecimal digits. It tells nothing of a token that was made at random."""
    rights: frozenset[Right]
    team: str | None = None
    """Everything done with it is done for this team; None: it may act for all."""


ANYBODY = Token(name="anybody", sha256="", rights=RIGHTS)
"""Where no tokens are asked for."""


def holder(tokens: Sequence[Token], authorization: str) -> Token | None:
    """Find whose token an `Authorization` header holds, in a time that does not depend on which."""
    found = _BEARER.fullmatch(authorization)
    if found is None:
        return None
    shown = sha256(found[1].encode()).hexdigest()
    known = [token for token in tokens if hmac.compare_digest(token.sha256, shown)]
    return known[0] if known else None


def load(path: Path) -> tuple[Token, ...]:
    """Read the tables headed `[[token]]` of a file.

    Raises:
        ConfigError: it cannot be read, or a token in it cannot.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", file=str(path)) from error
    rows = document.pop("token", [])
    if document or not isinstance(rows, list) or not rows:
        raise ConfigError("holds no tokens, or something else", file=str(path), expected="tables headed [[token]]")
    tokens = tuple(_token(row, str(path), place) for place, row in enumerate(cast("list[object]", rows)))
    for key in ("name", "sha256"):
        if len({getattr(token, key) for token in tokens}) != len(tokens):
            raise ConfigError(f"two tokens have the same {key}", file=str(path), key="token")
    return tokens


def _token(row: object, file: str, place: int) -> Token:
    def reject(key: str, expected: str) -> ConfigError:
        return ConfigError("cannot be used", file=file, key=f"token[{place}].{key}", expected=expected)

    values = cast("Mapping[str, object]", row) if isinstance(row, dict) else dict[str, object]()
    unknown = values.keys() - _KEYS
    if unknown:
        raise reject(min(unknown), " or ".join(sorted(_KEYS)))
    name, hashed, rights, team = (values.get(key) for key in ("name", "sha256", "rights", "team"))
    if not isinstance(name, str) or not name.strip():
        raise reject("name", "a text")
    if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
        raise reject("sha256", "64 hexadecimal digits in lower case, as sha256sum prints them")
    asked = cast("list[Right]", rights) if isinstance(rights, list) else []
    if not asked or any(each not in get_args(Right) for each in asked):  # not a set: a list in it has no hash
        raise reject("rights", f"a list of {', '.join(sorted(RIGHTS))}")
    if team is not None and (not isinstance(team, str) or not _TEAM.fullmatch(team) or "operator" in asked):
        raise reject("team", "the name of one team, no pattern, and none for operators: what they decide is for all")
    return Token(name=name, sha256=hashed, rights=frozenset(asked), team=team)
