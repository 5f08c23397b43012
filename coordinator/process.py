"""The daemon's own process: ``update-coordinator run`` becomes ``python -m coordinator.process CONFIG EXECUTOR``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run the daemon; both arguments may be empty: the default configuration, the configured executor."""
    config, executor = sys.argv[1:3]
    # loguru and sh load asyncio, which loads ssl where there is one: a megabyte, for a daemon without network.
    sys.modules["ssl"] = None  # type: ignore[assignment]
    serve = importlib.import_module("coordinator.serve")
    sys.exit(serve.serve(Path(config) if config else None, executor or None))


if __name__ == "__main__":
    main()
