"""``python -m remote``."""

from __future__ import annotations

from remote.cli import main

if __name__ == "__main__":
    main()
