"""The log: loguru to journald or stderr, and to a rotated file, every line bound to its request."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:
    from pathlib import Path

    from loguru import Message, Record

_ROTATION = "10 MB"
_KEPT = 5
_IDENTIFIER = "update-coordinator"
_INFO = 6  # of syslog(3), as the others
_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "DEBUG": 7}


def _line(record: Record) -> str:
    bound = "[{extra[request_id]}] " if "request_id" in record["extra"] else ""
    return "{time:YYYY-MM-DDTHH:mm:ss.SSSZZ} {level: <7} " + bound + "{message}\n{exception}"


class _Journald:
    """Lines with fields; the request's id is UPDATE_REQUEST_ID, as in the units of scripts."""

    def __init__(self) -> None:
        from logging_journald import JournaldTransport  # noqa: PLC0415  only on hosts with journald

        self._transport = JournaldTransport(connected=False)  # reconnects to a journald that was restarted

    def __call__(self, message: Message) -> None:
        """Send one line."""
        record = message.record
        fields = {
            "MESSAGE": message.removesuffix("\n"),
            "PRIORITY": _PRIORITIES.get(record["level"].name, _INFO),
            "SYSLOG_IDENTIFIER": _IDENTIFIER,
            "CODE_FILE": record["file"].path,
            "CODE_LINE": record["line"],
            "CODE_FUNC": record["function"],
            "UPDATE_REQUEST_ID": record["extra"].get("request_id"),
        }
        self._transport.send(fields.items())


def set_up(log_file: Path | None, *, level: str = "INFO") -> None:
    """Send the log to journald if stderr is connected to it, else to stderr; and to ``log_file``, if given.

    A log file that cannot be written is reported on stderr and left out: no update fails for a missing log.
    """
    logger.remove()
    if _is_journalds(sys.stderr):
        logger.add(_Journald(), format="{message}\n{exception}", level=level, backtrace=False, diagnose=False)
    else:
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


def log_fatal(text: str) -> None:
    """Print on stderr why this process ends, with the priority of an error in systemd's journal, sd-daemon(3)."""
    mark = f"<{_PRIORITIES['ERROR']}>" if _is_journalds(sys.stderr) else ""
    sys.stderr.write("".join(f"{mark}{line}\n" for line in text.splitlines()))


def _is_journalds(stream: TextIO) -> bool:
    """Whether systemd connected the stream to its journal, systemd.exec(5)."""
    expected = os.environ.get("JOURNAL_STREAM")
    if expected is None:
        return False
    found = os.fstat(stream.fileno())
    return expected == f"{found.st_dev}:{found.st_ino}"
