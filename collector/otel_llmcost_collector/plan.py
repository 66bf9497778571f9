"""What a process of the collector is started with: its settings, budgets and prices, and who may reach it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from otel_llmcost.config import Settings
from otel_llmcost.instrumentation.source import Source
from otel_llmcost_collector import tokens
from otel_llmcost_collector.governing import checked, source_of
from otel_llmcost_collector.reception import check_places
from otel_llmcost_collector.settings import CollectorSettings, load
from otel_llmcost_collector.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it, looked at and right."""

    collector: CollectorSettings
    source: Source
    """Where budgets and prices are read again from."""
    settings: Settings
    """Budgets, channels and prices as they are now."""
    tokens: tuple[Token, ...]

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> Plan:
        """Read all of it.

        Args:
            arguments: as given on the command line, by key.

        Raises:
            ConfigError: something is wrong with it.
        """
        cwd, home = Path.cwd(), Path.home()
        collector = load(os.environ, cwd=cwd, home=home, arguments=arguments)
        known = () if collector.access.tokens is None else tokens.load(collector.access.tokens)
        check_places(collector, has_tokens=bool(known))
        source = source_of(collector.settings_path, os.environ, cwd=cwd, home=home)
        return cls(collector=collector, source=source, settings=checked(source.read()), tokens=known)

    def log(self) -> None:
        """Write what is logged to standard error."""
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
        logging.getLogger("otel_llmcost_collector").setLevel(self.collector.log_level.upper())
        logging.getLogger("otel_llmcost").setLevel(self.collector.log_level.upper())
