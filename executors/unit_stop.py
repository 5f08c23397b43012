"""Ends a run from within its unit, started by systemd through unit_stop.sh: the coordinator may not be running.

The name of this module is part of the command line by which ``processes.unit_members`` recognizes it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from executors.processes import is_alive
from executors.run_directory import RunDirectory
from executors.termination import end_run
from protocol.clock import SystemClock
from protocol.types import ExitKind


def main() -> None:
    """Record why the run ends, then end all of it. Arguments: the run's directory, and the grace in seconds.

    Nothing is recorded when the worker is dead: the unit then stops because the worker was killed.
    """
    directory = RunDirectory.of_orphan(Path(sys.argv[1]), float(sys.argv[2]))
    claim = directory.claim()
    if claim is not None and is_alive(claim.worker):
        is_late = os.environ.get("SERVICE_RESULT") == "timeout"  # systemd.exec(5): RuntimeMaxSec has passed
        directory.record_ended_by(ExitKind.TIMED_OUT if is_late else ExitKind.INTERRUPTED)
    end_run(directory, SystemClock())


if __name__ == "__main__":
    main()
