"""Write the pages that say what the command's help and the table of settings say: `python -m tests.cli.pages`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from otel_llmcost.adapters import APIS, SDKS
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.cli.main import cli
from otel_llmcost.config import SETTINGS, Setting
from otel_llmcost_collector import openapi
from otel_llmcost_collector.setting_rows import ROWS
from otel_llmcost_collector.store_api import ROUTES
from tests.collector.dialects.page import dialects_page
from tests.collector.exposition.page import metrics_page

DOCS = Path(__file__).parents[2] / "docs"

_COMMANDS = """# The command `otel-llmcost`

Written by `make docs` from the command's own help.
"""
_SETTINGS = """# Settings

Written by `make docs` from the table of settings.
An argument wins over a variable, a variable over `llmcost.toml`, that over the default.
`opentelemetry-instrument` takes each variable as an argument too: `--llmcost_store memory://` is `OTEL_LLMCOST_STORE`.
A value that cannot be used is said with file, line and key, and passed over; `otel-llmcost config check` says the same.
Switches may be said as 1, true, yes, on or 0, false, no, off in a variable, and as true or false in the file.
Its tables: `[[budget]]` and `[[price]]` are in the [README](../README.md), `[[limit]]` in [limits.md](limits.md),
`[[alert]]` in [alerts.md](alerts.md), `[[fixed_cost]]` in [fixed-costs.md](fixed-costs.md).

| variable | in `llmcost.toml` | value | default | what it does |
|---|---|---|---|---|
"""


_ENDPOINTS = """# Every endpoint that is accounted for

Written by `make docs` from the adapters' rows; how calls come to them is in [sdks.md](sdks.md).

| spoken by | endpoint | operation | what an answer tells |
|---|---|---|---|
"""


_CHANGES = """## Where a cap and another model go

Written by `make docs` from the adapters' rows.

| spoken by | endpoint | a cap goes to | another model is named in |
|---|---|---|---|
"""


_COLLECTOR = """### Every setting

Written by `make docs` from the table of settings.

| in `collector.toml` | variable | value | default | what it does |
|---|---|---|---|---|
"""


def collector_page() -> str:
    """What was written by hand, and one row for every setting of the collector."""
    text = (DOCS / "collector.md").read_text(encoding="utf-8").partition(_COLLECTOR)[0]
    return text + _COLLECTOR + "".join(_collector_row(setting) for setting in ROWS)


def _collector_row(setting: Setting[object]) -> str:
    default = setting.default_text or (f"`{str(setting.default).lower()}`" if setting.default != "" else "")
    cells = (f"`{setting.key}`", f"`{setting.variable}`", setting.kind.expected, default, setting.help)
    return f"| {' | '.join(cells)} |\n"


def endpoints_page() -> str:
    """One row for every endpoint that is known."""
    rows: dict[str, None] = {}
    for api in (*SDKS, *APIS):
        for endpoint in api.endpoints:
            if endpoint.pays == "now":
                units = dict.fromkeys([*endpoint.usage.units, *endpoint.as_asked])
                counted = ", ".join(unit.replace("_", " ") for unit in units) or "nothing: estimated"
                rows[f"| {api.name} | `{endpoint.path}` | {endpoint.operation} | {counted} |\n"] = None
    return _ENDPOINTS + "".join(rows)


def actions_page() -> str:
    """What was written by hand, and one row for every endpoint whose requests can be changed."""
    text = (DOCS / "actions.md").read_text(encoding="utf-8").partition(_CHANGES)[0]
    rows = dict.fromkeys(
        f"| {api.name} | `{endpoint.path}` | {_cap(endpoint)} | {_model(endpoint)} |\n"
        for api in (*SDKS, *APIS)
        for endpoint in api.endpoints
        if endpoint.pays == "now"
    )
    return text + _CHANGES + "".join(rows)


def _cap(endpoint: Endpoint) -> str:
    if not endpoint.has_output:
        return "needs none"
    lowered = ", ".join(f"`{path}`" for path in endpoint.caps)
    places = endpoint.cap_at if endpoint.cap_at is not None else [("", path) for path in endpoint.caps[:1]]
    if not lowered:
        return "not possible"
    if places and not places[-1][0]:  # for any model
        return lowered
    return f"{lowered}, where it is there" + "".join(f"; else `{path}` for {model}" for model, path in places)


def _model(endpoint: Endpoint) -> str:
    if "{model" in endpoint.path:
        return "URL" + (", of the same maker" if endpoint.makers else "")
    return "not possible" if endpoint.model == "agent_id" else "body"


def commands_page() -> str:
    """The help of every command."""
    root = click.Context(cli, info_name="otel-llmcost", **{**cli.context_settings, "terminal_width": 100})
    parts = [f"## `{context.command_path}`\n```\n{cli_help(context)}\n```\n" for context in _contexts(root)]
    return "\n".join([_COMMANDS, *parts])


def cli_help(context: click.Context) -> str:
    return "\n".join(line.rstrip() for line in context.command.get_help(context).splitlines())


def settings_page() -> str:
    """One row for every setting."""
    return _SETTINGS + "".join(_row(setting) for setting in SETTINGS)


def _row(setting: Setting[object]) -> str:
    key = f"`{setting.key}`" if setting.key else ""
    default = setting.default_text or (f"`{str(setting.default).lower()}`" if setting.default != "" else "")
    cells = (f"`{setting.variable}`", key, setting.kind.expected, default, setting.help)
    return f"| {' | '.join(cells)} |\n"


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield from _contexts(click.Context(command, info_name=name, parent=context))


PAGES = {
    "actions.md": actions_page,
    "cli.md": commands_page,
    "collector.md": collector_page,
    "settings.md": settings_page,
    "endpoints.md": endpoints_page,
    "collector-metrics.md": metrics_page,
    "dialects.md": dialects_page,
    "openapi.json": lambda: openapi.text(ROUTES),
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
