"""The daemon's own process: ``update-coordinator run`` becomes ``python -m coordinator.process CONFIG EXECUTOR``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# Loaded by loguru, sh and pydantic where they are found, and unused in a daemon without network: OpenSSL costs four
# megabytes. Without it, hashlib has its own SHA-256.
_UNUSED = ("ssl", "_hashlib")


def main() -> None:
    """Run the daemon; both arguments may be empty: the default configuration, the configured executor."""
    config, executor = sys.argv[1:3]
    leave_out_unused()
    serve = importlib.import_module("coordinator.serve")
    sys.exit(serve.serve(Path(config) if config else None, executor or None))


def leave_out_unused() -> None:
    """Let imports of what no part of the daemon uses fail, as they do where it is not installed."""
    for name in _UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]


if __name__ == "__main__":
    main()
