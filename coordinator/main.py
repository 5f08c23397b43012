"""The daemon's process: ``update-coordinator run`` becomes ``python -m coordinator.main CONFIG EXECUTOR``."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # loguru, sh and pydantic import these where they exist; a daemon without network does not use them, and OpenSSL
    # costs four megabytes. hashlib has its own SHA-256.
    for _unused in ("ssl", "_hashlib"):
        sys.modules[_unused] = None  # type: ignore[assignment]

from contextlib import ExitStack
from pathlib import Path

from loguru import logger

from coordinator import logs
from coordinator.app import build
from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import Settings, load_settings
from coordinator.state_folder import StateFolder
from fsm.errors import FsmError, JournalDamagedError
from protocol.clock import SystemClock

_PAUSE_S = 1.0  # before the journal is read a second time: a transient error may be over


def serve(config: Path | None, executor: str | None) -> int:
    """Run until a signal stops it.

    Returns:
        0 after a stop, 1 when the supervisor should start it again, 2 when only the operator can help.
    """
    try:
        settings = load_settings(config)
        logs.set_up(settings.paths.log_file)
        try:
            return _serve_once(settings, executor)
        except JournalDamagedError as error:
            logger.critical("{}", error)
            StateFolder(settings.paths.state).mark_suspect()  # this time the whole file is checked, and then replaced
            SystemClock().sleep(_PAUSE_S)
            return _serve_once(settings, executor)
    except (ConfigurationError, UnavailableError) as error:
        logs.log_fatal(str(error))
        return 2 if isinstance(error, ConfigurationError) else 1


def _serve_once(settings: Settings, executor: str | None) -> int:
    try:
        with ExitStack() as resources:  # inside: closing the journal may fail, too
            return build(settings, resources, executor_name=executor).run()
    except JournalDamagedError:
        raise
    except FsmError as error:
        logger.critical("cannot start: {}", error)
    except OSError as error:
        logger.critical("cannot start: {}; check space and permissions of the folders under [paths]", error)
    return 1


def main() -> None:
    """Run the daemon; both arguments may be empty: the default configuration, the configured executor."""
    config, executor = sys.argv[1:3]
    sys.exit(serve(Path(config) if config else None, executor or None))


if __name__ == "__main__":
    main()
