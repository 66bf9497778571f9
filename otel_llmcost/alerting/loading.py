"""One lock for all that is imported after the start, so that no fork comes between."""

from __future__ import annotations

import os
import threading

loading = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A child that is forked amid an import has half a module for ever; ours may be the host's `ssl`.
    os.register_at_fork(before=loading.acquire, after_in_parent=loading.release, after_in_child=loading.release)
