"""Other instrumentors at work on the same SDKs; collected only where they are installed (`make test-beside`)."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("openinference") is None:  # their own environment has all of them, every other one none
    collect_ignore_glob = ["test_*.py"]
