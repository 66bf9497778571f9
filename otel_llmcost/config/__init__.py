"""Settings of a process: from arguments, environment variables and `llmcost.toml`."""

from otel_llmcost.config.settings import Settings, load
from otel_llmcost.config.table import SETTINGS, Setting

__all__ = ["SETTINGS", "Setting", "Settings", "load"]
