"""What `doctor` says of SDKs: which are here, where their calls pass, whether we stand there, and who else does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, entry_points

from otel_llmcost.adapters import SDKS
from otel_llmcost.adapters.base import ClientSdk
from otel_llmcost.cli import installed
from otel_llmcost.cli.checks import Check
from otel_llmcost.cli.installed import name_of
from otel_llmcost.cli.tools import Tools
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.gate import CLIENTS

_OURS = "otel_llmcost."
_DISTRIBUTIONS: Mapping[str, str] = {"cerebras": "cerebras-cloud-sdk"}
"""SDK → its distribution, where that is called otherwise."""
THROUGH_HTTP = (
    "google-genai", "mistralai", "cohere", "ollama", "huggingface-hub", "boto3", "litellm", "openrouter",
    "perplexityai", "fireworks-ai",
)  # fmt: skip
"""Distributions of SDKs whose calls are seen at the HTTP client that they use."""
UNSEEN: Mapping[str, str] = {"xai-sdk": "sends by gRPC, which passes no HTTP client"}
"""Distribution of an SDK whose calls we do not see → why."""
_WORDS: Mapping[str, tuple[frozenset[str], ...]] = {
    "google-genai": (frozenset({"google", "genai"}), frozenset({"google", "generativeai"}), frozenset({"vertexai"})),
    "boto3": (frozenset({"botocore"}), frozenset({"bedrock"})),
    "huggingface-hub": (frozenset({"huggingface"}),),
    "cerebras-cloud-sdk": (frozenset({"cerebras"}),),
}
"""Distribution → words by which instrumentations of it are known, all of one set; else its own name."""
_NATIVE = "anthropic", "anthropic/_tracing.py", "ANTHROPIC_OPEN_TELEMETRY"
"""An SDK that makes spans of its own: its distribution, the file that does, the variable that ends it."""


def sdks(tools: Tools) -> Iterator[Check]:
    """Tell of which SDKs calls are seen, and where.

    They are looked at, not imported, which takes a second, unless `opentelemetry-instrument` started this process:
    then they are imported, to see what became of them.
    """
    is_live = state.is_installed and not tools.settings.disabled
    absent: list[str] = []
    for sdk in (sdk for sdk in SDKS if not sdk.within):
        package = installed.found(_DISTRIBUTIONS.get(sdk.name, sdk.name))
        if package is None:
            absent.append(sdk.name)
        else:
            yield _at_its_own(package, sdk, is_live=is_live)
            yield from _beside(package, tools)
    for name in THROUGH_HTTP:
        package = installed.found(name)
        if package is None:
            absent.append(name)
        else:
            yield _at_http(package, is_live=is_live)
            yield from _beside(package, tools)
    for name, reason in UNSEEN.items():
        package = installed.found(name)
        if package is not None:
            yield _unseen(package, reason)
    if absent:
        yield Check("note", f"not installed here: {', '.join(absent)}")


def _at_its_own(package: Distribution, sdk: ClientSdk, *, is_live: bool) -> Check:
    methods = (sdk.sync_method, sdk.async_method)
    missing = [method for method in methods if not installed.defines(package, sdk.module, method)]
    if missing:
        return _unseen(package, f"has no {sdk.module}.{missing[0]}")
    return _seen(package, {sdk.module: methods}, {sdk.name: sdk.module} if is_live else {})


def _at_http(package: Distribution, *, is_live: bool) -> Check:
    needed = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in package.requires or () if "extra ==" not in line}
    roots = {module: module.partition(".")[0] for module in CLIENTS}
    clients = [module for module, root in roots.items() if root in needed]
    if not clients:
        return _unseen(package, f"sends by none of {', '.join(dict.fromkeys(roots.values()))}")
    passed = {name: [f"{owner}.{method}" for owner, method, *_ in CLIENTS[name]] for name in clients}
    return _seen(package, passed, {name: name for name in clients} if is_live else {})


def _seen(package: Distribution, passed: Mapping[str, Sequence[str]], live: Mapping[str, str]) -> Check:
    """Say where calls pass.

    Args:
        package: the SDK.
        passed: module → its methods, one of which every call passes.
        live: what is to be patched in this process → the module whose import has it patched.
    """
    for name, module in live.items():
        trouble = _trouble(name, module)
        if trouble:
            return _unseen(package, trouble)
    where = ", ".join(f"{' and '.join(methods)} of {module}" for module, methods in passed.items())
    here = ", patched in this process" if live else ""
    points = [f"{module}.{method}" for module, methods in passed.items() for method in methods]
    text = f"{name_of(package)} {package.version}: paid calls are accounted for at {where}{here}"
    return Check("ok", text, {**_facts(package), "entry_points": points, "is_patched": True if live else None})


def _unseen(package: Distribution, reason: str) -> Check:
    text = f"{name_of(package)} {package.version} {reason}: its calls are not seen"
    return Check("problem", text, {**_facts(package), "is_patched": False})


def _facts(package: Distribution) -> dict[str, object]:
    return {"sdk": name_of(package), "version": package.version}


def _trouble(name: str, module: str) -> str:
    """Say why something is not patched in this process; empty: it is."""
    try:
        import_module(module)
    except Exception as error:  # noqa: BLE001 -- whatever a broken package raises
        return f"cannot be imported ({type(error).__name__}: {error})"
    points = state.patched.get(name, [])
    lost = [f"{owner.__qualname__}.{method}" for owner, method in points if not _is_ours(vars(owner).get(method))]
    if not points:
        return f"is not patched in this process, at {module}"
    return f"is patched in this process, but somebody put another {lost[0]} in its place" if lost else ""


def _is_ours(function: object) -> bool:
    """Tell whether a wrapper of ours is among those around a function."""
    while function is not None:
        wrapper: object = getattr(function, "_self_wrapper", None)
        if str(getattr(wrapper, "__module__", "")).startswith(_OURS):
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def _beside(package: Distribution, tools: Tools) -> Iterator[Check]:
    """Tell who else makes spans for an SDK's calls."""
    said = {
        "auto": "its spans get the cost, and we make none of our own",
        "enrich": "its spans get the cost, and we make none of our own",
        "own": 'with spans = "own" each call has two spans, but one charge',
        "off": 'with spans = "off" its spans get no cost',
    }[tools.settings.spans]
    name = name_of(package)
    for other in _others(name):
        module = other.value.partition(":")[0]
        yield Check("note", f"{name} is instrumented by {module} too: {said}", {"sdk": name, "instrumented_by": module})
    native, file, switch = _NATIVE
    is_on = tools.environ.get(switch, "").lower() != "false"
    if name == native and is_on and installed.has_file(package, file):
        facts = {"sdk": name, "instrumented_by": name}
        yield Check("note", f"{name} makes spans of its own, unless {switch}=false: {said}", facts)


def _others(name: str) -> list[EntryPoint]:
    """Find instrumentations of others that act on an SDK."""
    wanted = _WORDS.get(name, (frozenset({name}),))
    return [
        each
        for each in entry_points(group="opentelemetry_instrumentor")
        if not each.value.startswith(_OURS)
        and any(words <= set(re.split(r"[^a-z]+", f"{each.name} {each.value}".lower())) for words in wanted)
    ]
