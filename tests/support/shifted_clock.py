"""The wall clock of one host's coordinator, turned at will.

Scripts keep the real one, for the coordinator hands nothing of its environment down to them.
"""

from __future__ import annotations

import struct
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.real_host import Host

_SOURCE = Path(__file__).with_suffix(".c")
_NEARLY = timedelta(hours=1)  # what a test may take, and more; less than any jump


class ShiftedClock:
    """Set before the first start, and turned whenever one likes, while the coordinator runs or while it does not."""

    def __init__(self, host: Host, ahead_s: int) -> None:
        """Put it in the place of the real one, ``ahead_s`` seconds ahead of it. Needs gcc."""
        library = host.root / "shifted_clock.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(_SOURCE)], check=True)
        self._file = host.root / "ahead"
        self._file.touch()
        host.environment |= {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._file)}
        self.turn(ahead_s)

    def turn(self, ahead_s: int) -> None:
        """From now on it is ``ahead_s`` seconds ahead of the real one."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("q", ahead_s))
        self._ahead = timedelta(seconds=ahead_s)

    def shows(self, stamp: str) -> bool:
        """Whether ``stamp`` is ISO 8601 with an offset, and about what the clock shows now."""
        return abs(datetime.fromisoformat(stamp) - (datetime.now(UTC) + self._ahead)) < _NEARLY


def since_1970() -> int:
    """How far ahead the clock is of a machine without a battery that was switched on a minute ago."""
    return 60 - int(time.time())
