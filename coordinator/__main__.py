"""``python -m coordinator`` is ``update-coordinator``."""

from __future__ import annotations

from coordinator.cli import main

main()
