"""A wall clock with an adjustable offset for one host's coordinator, by LD_PRELOAD.

Scripts keep the real clock: the coordinator does not pass its environment on.
"""

from __future__ import annotations

import struct
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.real_host import Host

_SOURCE = Path(__file__).with_suffix(".c")
_NEARLY = timedelta(hours=1)  # above any test's duration, below any jump


class ShiftedClock:
    """Installed before the first start; the offset can change at any time."""

    def __init__(self, host: Host, ahead_s: int) -> None:
        """Replace the coordinator's wall clock by one that is ``ahead_s`` seconds ahead. Needs gcc."""
        library = host.root / "shifted_clock.so"
        library.write_bytes(_library())
        self._file = host.root / "ahead"
        self._file.touch()
        host.environment |= {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._file)}
        self.shift(ahead_s)

    def shift(self, ahead_s: int) -> None:
        """Set the offset to ``ahead_s`` seconds."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("q", ahead_s))
        self._ahead = timedelta(seconds=ahead_s)

    def shows(self, stamp: str) -> bool:
        """Whether ``stamp`` is ISO 8601 with an offset and equals the present time within an hour."""
        return abs(datetime.fromisoformat(stamp) - (datetime.now(UTC) + self._ahead)) < _NEARLY


@cache
def _library() -> bytes:
    """Compile it, once per process."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "shifted_clock.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(path), str(_SOURCE)], check=True)
        return path.read_bytes()


def since_1970() -> int:
    """The offset of a clock without a battery one minute after power-on."""
    return 60 - int(time.time())
