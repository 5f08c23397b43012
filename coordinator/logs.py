"""The log: loguru to stderr (journald's, under systemd) and to a rotated file, every line bound to its request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from pathlib import Path

    from loguru import Record

_ROTATION = "10 MB"
_KEPT = 5


def _line(record: Record) -> str:
    bound = "[{extra[request_id]}] " if "request_id" in record["extra"] else ""
    return "{time:YYYY-MM-DDTHH:mm:ss.SSSZZ} {level: <7} " + bound + "{message}\n{exception}"


def set_up(log_file: Path | None, *, level: str = "INFO") -> None:
    """Send the log to stderr and, where one is configured, to ``log_file``.

    A log file that cannot be written is said so on stderr and does without: no update fails for want of a log.
    """
    logger.remove()
    logger.add(sys.stderr, format=_line, level=level, colorize=False, backtrace=False, diagnose=False)
    if log_file is None:
        return
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        logger.add(
            log_file, format=_line, level=level, rotation=_ROTATION, retention=_KEPT, backtrace=False, diagnose=False
        )
    except OSError as error:
        logger.warning("cannot write the log file {}: {}; logging to stderr only", log_file, error.strerror)
