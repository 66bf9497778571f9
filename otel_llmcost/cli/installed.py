"""What stands in the packages that are installed here, without importing them."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path


def found(*names: str) -> Distribution | None:
    """Find the first distribution of these names that is installed; None: none is."""
    for name in names:
        try:
            return distribution(name)
        except PackageNotFoundError:
            continue
    return None


def name_of(package: Distribution) -> str:
    """Return a distribution's name as people write it."""
    return package.name.replace("_", "-").lower()


def has_file(package: Distribution, path: str) -> bool:
    """Tell whether a file is there, by its path below where packages are installed."""
    return Path(str(package.locate_file(path))).exists()


def defines(package: Distribution, module: str, name: str) -> bool:
    """Tell whether a class in a module's source has a method of its own, named as in `Client.send`."""
    owner, _, method = name.partition(".")
    text, own = _source(package, module), rf"^class {owner}\b.*?(?=^(?:class|def|async def|@)\b|\Z)"
    body = re.search(own, text, re.MULTILINE | re.DOTALL)
    return body is not None and re.search(rf"^ +(?:async )?def {method}\b", body[0], re.MULTILINE) is not None


def mentions(package: Distribution, module: str, name: str) -> bool:
    """Tell whether a module's source has a class or a function of that name, its own or imported."""
    return re.search(rf"\b{name.partition('.')[0]}\b", _source(package, module)) is not None


def _source(package: Distribution, module: str) -> str:
    path = module.replace(".", "/")
    return _text(package, f"{path}.py") or _text(package, f"{path}/__init__.py")


def _text(package: Distribution, path: str) -> str:
    try:
        return Path(str(package.locate_file(path))).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
