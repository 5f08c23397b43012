"""Check for files that must not remain once the coordinator is idle and stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from property_tests.crash.scenarios import PlannedRequest

# All that may remain in the state directory of a stopped coordinator.
_STATE_FILES = {"journal.db", "coordinator.lock", "runs"}
_STREAMS = {"stdout", "stderr"}


def unexpected_files(
    requests: Path, status: Path, state: Path, planned: Iterable[PlannedRequest], output_bytes: int
) -> Iterator[str]:
    """Files in the three directories that a stopped coordinator must have removed."""
    statuses = {f"{request.request_id}.json" for request in planned} | {".coordinator"}
    for folder, expected in ((requests, set()), (status, statuses), (state, _STATE_FILES)):
        for name in sorted({path.name for path in folder.iterdir()} - expected):
            yield f"{name} was left in {folder.name}/"
    for folder in unfinished_run_directories(state / "runs", output_bytes):
        yield f"runs/{folder.name} was left in {state.name}/"


def unfinished_run_directories(runs: Path, output_bytes: int) -> list[Path]:
    """Run directories with more than complete logs; streams above ``limits.output_bytes`` are kept on purpose."""
    return [folder for folder in sorted(runs.glob("*")) if not _holds_complete_logs(folder, output_bytes)]


def _holds_complete_logs(folder: Path, output_bytes: int) -> bool:
    try:
        files = [file for attempt in folder.iterdir() for file in attempt.iterdir()]
        return bool(files) and all(file.name in _STREAMS and file.stat().st_size > output_bytes for file in files)
    except FileNotFoundError:  # removed concurrently
        return False
