"""The budget API on its own: `python -m otel_llmcost_collector.store_server --store … --listen …`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import NoReturn

from otel_llmcost.errors import ConfigError
from otel_llmcost.storage import open_store
from otel_llmcost_collector import tokens
from otel_llmcost_collector.listening import Listen, check, listened
from otel_llmcost_collector.store_api import StoreApi

SECTIONS = ("budget", "limit", "tiers")
"""What of `llmcost.toml` agents are told."""
_IDLE_SECONDS = 75
"""Longer than any agent keeps a connection that it does not use."""
_DRAIN_SECONDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    said = _parser().parse_args(arguments)
    try:
        _serve(said)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _serve(said: argparse.Namespace) -> None:
    listen = _listen(said)
    known = () if said.tokens is None else tokens.load(said.tokens)
    check(listen, has_tokens=bool(known))
    budgets = dict[str, object] if said.config is None else partial(sections, said.config)
    budgets()  # what is wrong with the file is better said now
    with closing(open_store(said.store)) as store:
        api = StoreApi(store, tokens=known, budgets=budgets, clock=lambda: datetime.now(UTC))
        with closing(api):
            serve(api, listen)


def sections(path: Path) -> Mapping[str, object]:
    """Read the budgets that all agents are to hold; amounts stay exact.

    Raises:
        ConfigError: there are none to be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", file=str(path)) from error
    return {name: document[name] for name in SECTIONS if name in document}


def serve(api: StoreApi, listen: Listen) -> None:
    """Serve until a signal comes; requests under way are answered before it ends."""
    try:
        import uvicorn  # noqa: PLC0415 -- of an extra
    except ImportError as error:
        raise ConfigError("uvicorn is missing", key="--listen", expected="the extra otel-llmcost[collector]") from error
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = uvicorn.Config(
        api,
        host=listen.host,
        port=listen.port,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    signal.signal(signal.SIGTERM, _end)  # uvicorn answers what is under way, and then sends it to us again
    with closing(listened(listen)) as place:
        host, port = place.getsockname()[:2]
        scheme = "http" if listen.certificate is None else "https"
        sys.stdout.write(f"listening on {scheme}://{f'[{host}]' if ':' in host else host}:{port}\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[place])


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m otel_llmcost_collector.store_server", description=__doc__)
    parser.add_argument(
        "--store", required=True, help="where balances and ledger are kept, such as sqlite:///ledger.db"
    )
    parser.add_argument("--listen", default="127.0.0.1:4319", metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument("--tokens", type=Path, help="a file of tables headed [[token]]: who may ask for what")
    parser.add_argument("--config", type=Path, help="llmcost.toml with the budgets that agents are told")
    parser.add_argument("--certificate", type=Path, help="of the server, in PEM form, with those that vouch for it")
    parser.add_argument("--key", type=Path, help="of the certificate, in PEM form")
    parser.add_argument("--behind-proxy", action="store_true", help="somebody in front speaks TLS")
    return parser


def _listen(said: argparse.Namespace) -> Listen:
    host, _, port = said.listen.rpartition(":")
    if not host or not port.isdecimal():
        _reject(said.listen)
    return Listen(
        host=host.strip("[]"),
        port=int(port),
        certificate=said.certificate,
        key=said.key,
        is_behind_proxy=said.behind_proxy,
    )


def _reject(listen: str) -> NoReturn:
    problem = f"{listen!r} is no place to listen"
    raise ConfigError(problem, key="--listen", expected="HOST:PORT, such as 127.0.0.1:4319")


if __name__ == "__main__":
    sys.exit(main())
