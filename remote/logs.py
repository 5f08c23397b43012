"""The log: loguru to stderr, where the container's runtime takes it; uvicorn's own lines go the same way."""

from __future__ import annotations

import logging
import sys

from loguru import logger

_FORMAT = "{time:YYYY-MM-DDTHH:mm:ss.SSSZZ} {level: <7} {message}"


class _ToLoguru(logging.Handler):
    """Hands what libraries log to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one line on."""
        logger.opt(exception=record.exc_info).log(record.levelname, "{}", record.getMessage())


def set_up(level: str = "INFO") -> None:
    """Send everything to stderr; of libraries, only warnings and worse."""
    logger.remove()
    logger.add(sys.stderr, format=_FORMAT, level=level, colorize=False, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
