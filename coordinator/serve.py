"""From a configuration to a running daemon, and its exit code."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from loguru import logger

from coordinator import logs
from coordinator.app import build, mark_journal_suspect
from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import Settings, load_settings
from fsm.errors import FsmError, JournalDamagedError
from protocol.clock import SystemClock

_PAUSE_S = 1.0  # between two looks at a journal: what was a sick disk may be well again


def serve(config: Path | None, executor: str | None) -> int:
    """Run until told to stop.

    Returns:
        0 after a stop, 1 when the supervisor should start it again, 2 when only the operator can help.
    """
    try:
        settings = load_settings(config)
        logs.set_up(settings.paths.log_file)
        return _serve(settings, executor)
    except (ConfigurationError, UnavailableError) as error:
        logs.log_fatal(str(error))
        return 2 if isinstance(error, ConfigurationError) else 1


def _serve(settings: Settings, executor: str | None) -> int:
    try:
        return _run(settings, executor)
    except JournalDamagedError as error:
        logger.critical("{}", error)
        mark_journal_suspect(settings)  # this time the whole file is read, and given up if it is really damaged
        SystemClock().sleep(_PAUSE_S)
        return _run(settings, executor)


def _run(settings: Settings, executor: str | None) -> int:
    try:
        with ExitStack() as resources:  # within: what is closed last, the journal, may meet a sick disk, too
            return build(settings, SystemClock(), resources, executor).run()
    except JournalDamagedError:
        raise
    except FsmError as error:
        logger.critical("cannot start: {}", error)
    except OSError as error:
        logger.critical("cannot start: {}; check space and permissions of the folders under [paths]", error)
    return 1
