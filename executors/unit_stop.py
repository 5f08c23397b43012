"""Ends a run from within its unit, for systemd: where no coordinator may be alive to do it (unit_stop.sh)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from executors.termination import end_run
from executors.processes import alive
from executors.run_directory import Session
from protocol.clock import SystemClock
from protocol.types import ExitKind


def main() -> None:
    """Note why, then end everything. Arguments: the run's directory, and the grace in seconds.

    A session that was killed from outside tells of itself; only one that lives is being ended by us.
    """
    session = Session.left_in(Path(sys.argv[1]), float(sys.argv[2]))
    claim = session.claim()
    if claim is not None and alive(claim[0]):
        is_late = os.environ.get("SERVICE_RESULT") == "timeout"  # systemd.exec(5): RuntimeMaxSec has passed
        session.note(ExitKind.TIMED_OUT if is_late else ExitKind.INTERRUPTED)
    end_run(session, SystemClock())


if __name__ == "__main__":
    main()
