"""What `doctor` looks at around us: OpenTelemetry's way of loading us, and exporters."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from otel_llmcost.cli.checks import Check
from otel_llmcost.cli.tools import Tools
from otel_llmcost.instrumentation import state

_OURS = "otel_llmcost."
_NAME = "llmcost"
_CONNECT_SECONDS = 1.0
_SIGNALS = ("traces", "metrics")
_COMMAND = "opentelemetry-instrument"
_DEFAULT_EXPORTER = "otlp"
"""What the distro sets where nobody names one."""
_LOCAL_GRPC, _LOCAL_HTTP = "http://localhost:4317", "http://localhost:4318"
_PORTS = {"https": 443, "http": 80, "": 4317}


def loading(tools: Tools) -> Iterator[Check]:
    """Tell whether `opentelemetry-instrument` finds us."""
    for group in ("opentelemetry_pre_instrument", "opentelemetry_instrumentor"):
        if not any(each.value.startswith(_OURS) for each in entry_points(group=group)):
            yield Check("problem", f"no entry point of ours in {group}: install the package anew")
    beside_us = str(Path(sys.executable).parent)
    command = shutil.which(_COMMAND, path=beside_us)
    if command is None:
        yield Check("problem", f"there is no {_COMMAND} in {beside_us}: install opentelemetry-instrumentation")
    else:
        yield Check("ok", f"{command} finds us{', and has loaded us into this process' if state.is_installed else ''}")
    disabled = {each.strip() for each in tools.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    if {_NAME, "*"} & disabled:
        yield Check("problem", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches us off")


def export(tools: Tools) -> Iterator[Check]:
    """Tell where spans and metrics go. The ledger does not depend on it."""
    if tools.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Check("warning", "OTEL_SDK_DISABLED: no spans, no metrics; accounting and limits work all the same")
        return
    if not entry_points(group="opentelemetry_distro"):
        yield Check("warning", "no distro is installed, so nothing is exported unless the program sets it up itself")
    for signal in _SIGNALS:
        yield from _exporters(tools.environ, signal)


def _exporters(environ: Mapping[str, str], signal: str) -> Iterator[Check]:
    for name in map(str.strip, environ.get(f"OTEL_{signal.upper()}_EXPORTER", _DEFAULT_EXPORTER).split(",")):
        if name == "none":
            yield Check("note", f"{signal} are not exported")
        elif not entry_points(group=f"opentelemetry_{signal}_exporter", name=name):
            yield Check("problem", f"{signal}: there is no exporter {name!r}; its package is missing")
        elif name.startswith("otlp"):
            yield _otlp(environ, signal, name)
        else:
            yield Check("ok", f"{signal} go to the exporter {name!r}")


def _otlp(environ: Mapping[str, str], signal: str, name: str) -> Check:
    endpoint = endpoint_of(environ, signal, name)
    url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    try:
        with socket.create_connection((url.hostname or "", url.port or _PORTS[url.scheme]), _CONNECT_SECONDS):
            return Check("ok", f"{signal} go to {endpoint}, where somebody listens")
    except (OSError, ValueError) as error:
        return Check("warning", f"{signal} go to {endpoint}, which cannot be reached: {error}")


def endpoint_of(environ: Mapping[str, str], signal: str, name: str) -> str:
    """Say where an OTLP exporter sends a signal."""
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    is_http = name == "otlp_proto_http" or (name == "otlp" and (protocol or "grpc").startswith("http"))
    default = _LOCAL_HTTP if is_http else _LOCAL_GRPC
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return own or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or default
