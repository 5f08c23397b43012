"""What lies in the folders once everything has come to rest, and has no business to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from property_tests.crash.scenarios import Wish

# All that may lie in the state folder once a coordinator has stopped.
_BELONGS = {"journal.db", "coordinator.lock", "runs"}
_STREAMS = {"stdout", "stderr"}


def strays(requests: Path, status: Path, state: Path, wishes: Iterable[Wish], output_bytes: int) -> Iterator[str]:
    """What a coordinator that has done everything and stopped leaves nobody."""
    expected = {f"{wish.request_id}.json" for wish in wishes} | {".coordinator"}
    for folder, belongs in ((requests, set()), (status, expected), (state, _BELONGS)):
        for name in sorted({path.name for path in folder.iterdir()} - belongs):
            yield f"{name} was left in {folder.name}/"
    for folder in leftovers(state / "runs", output_bytes):
        yield f"runs/{folder.name} was left in {state.name}/"


def leftovers(runs: Path, output_bytes: int) -> list[Path]:
    """Folders of runs with more in them than complete logs: what exceeds ``limits.output_bytes`` is kept on purpose."""
    return [folder for folder in sorted(runs.glob("*")) if not _is_log(folder, output_bytes)]


def _is_log(folder: Path, output_bytes: int) -> bool:
    try:
        files = [file for attempt in folder.iterdir() for file in attempt.iterdir()]
        return bool(files) and all(file.name in _STREAMS and file.stat().st_size > output_bytes for file in files)
    except FileNotFoundError:  # it is just being removed
        return False
