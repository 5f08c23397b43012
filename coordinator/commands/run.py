"""``update-coordinator run``."""

from __future__ import annotations

from contextlib import ExitStack

from loguru import logger

from coordinator import logs
from coordinator.app import build, distrust_journal
from coordinator.settings import Settings
from fsm.errors import FsmError, JournalDamagedError
from protocol.clock import SystemClock


def execute(settings: Settings, *, dry_run: bool = False) -> int:
    """Run until told to stop; 0 after a stop, 1 when the supervisor should start it again."""
    logs.set_up(settings.paths.log_file)
    try:
        return _run(settings, dry_run=dry_run)
    except JournalDamagedError as error:
        logger.critical("{}", error)
        distrust_journal(settings)  # damage that opening did not show: this time the whole file is read
        return _run(settings, dry_run=dry_run)


def _run(settings: Settings, *, dry_run: bool) -> int:
    with ExitStack() as resources:
        try:
            daemon = build(settings, SystemClock(), resources, "dry-run" if dry_run else None)
        except JournalDamagedError:
            raise
        except (FsmError, OSError) as error:
            logger.critical("cannot start: {}", error)
            return 1
        return daemon.run()
