"""Logging: loguru to stderr, which the container's runtime collects; the standard library's loggers go there, too."""

from __future__ import annotations

import logging
import sys

from loguru import logger

_FORMAT = "{time:YYYY-MM-DDTHH:mm:ss.SSSZZ} {level: <7} {message}"


class _ToLoguru(logging.Handler):
    """Forwards records of the standard library's loggers to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record."""
        logger.opt(exception=record.exc_info).log(record.levelname, "{}", record.getMessage())


def set_up(level: str = "INFO") -> None:
    """Log to stderr; of libraries, only warnings and worse."""
    logger.remove()
    logger.add(sys.stderr, format=_FORMAT, level=level, colorize=False, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
