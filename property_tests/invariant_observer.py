"""Checks, before each effect, what a restarted coordinator would find if this one crashed now.

The observer has its own connection to the journal, so that it sees committed data only.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pydantic import ValidationError

from coordinator.housekeeping import PERIOD_S
from coordinator.settings import Settings
from executors.interface import ScriptRun
from property_tests.world import SimulatedClock
from protocol.messages import FinalStatus, Progress
from protocol.names import PROGRESS_SUFFIX, is_request_id, stem_of

MANY_STARTS = 200  # over all requests of one host; far above every legitimate number of restarts and failed starts


class InvariantObserver:
    """Checks I1, I2 and I3 before each effect.

    ``published_at`` maps each id to the coordinator's running time, in seconds, at its latest publication.
    """

    def __init__(self, settings: Settings, journal: Path, clock: SimulatedClock) -> None:
        self._journal = journal
        self._requests = settings.paths.requests
        self._status = settings.paths.status
        self._retention_s = settings.limits.status_retention_days * 86400
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self.published_at: dict[str, float] = {}
        self._started: set[tuple[str, int]] = set()
        self.expired: set[str] = set()  # ids whose answer the coordinator removed after its retention

    def close(self) -> None:
        """Close the connection to the journal."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _row(self, sql: str, *values: object) -> tuple[object, ...] | None:
        if self._connection is None:
            self._connection = sqlite3.connect(f"{self._journal.as_uri()}?mode=ro", uri=True)
        return self._connection.execute(sql, values).fetchone()

    def forget(self, name: str) -> None:
        """Reset an id that now belongs to a new request."""
        self.published_at.pop(name, None)
        self._started = {attempt for attempt in self._started if attempt[0] != name}

    def check_start(self, script_run: ScriptRun) -> None:
        """I2: a script's attempt is committed before it starts. I3: no attempt starts twice."""
        found = self._row(
            "SELECT script, attempts.state, requests.state, ending, settled_at FROM attempts"
            " JOIN requests ON requests.id = request_id WHERE request_id = ? AND number = ?",
            script_run.request_id,
            script_run.attempt,
        )
        assert found, (
            f"{script_run.script} of {script_run.request_id} starts without attempt {script_run.attempt} in the journal"
        )
        script, attempt_state, state, *over = found
        assert (script, attempt_state, over) == (script_run.script, state, [None, None]), (
            f"{script_run} starts; the journal differs: {found}"
        )
        attempt = (script_run.request_id, script_run.attempt)
        assert attempt not in self._started, (
            f"{script_run.script} of {script_run.request_id} starts again as attempt {script_run.attempt}"
        )
        assert len(self._started) < MANY_STARTS, (
            f"{script_run.script} of {script_run.request_id} starts without a bound"
        )
        self._started.add(attempt)

    def check_effect(self, effect: str, paths: tuple[Path, ...]) -> None:
        """Check an effect that is about to happen."""
        if not paths:
            return
        source, target = paths[0], paths[-1]
        name = stem_of(source.name) or ""
        if effect in ("unlink", "rmdir", "rename") and source.parent == self._requests and is_request_id(name):
            self._check_request_removed(name)
        elif effect == "unlink" and source.parent == self._status and is_request_id(name):
            self._check_status_removed(name)
        elif effect == "rename" and target.parent == self._status and target.name.endswith(PROGRESS_SUFFIX):
            self._check_progress(Progress.model_validate_json(source.read_bytes()))
        elif effect == "rename" and target.parent == self._status and is_request_id(stem_of(target.name) or ""):
            self._check_final_status(target, FinalStatus.model_validate_json(source.read_bytes()))

    def _check_progress(self, progress: Progress) -> None:
        """I2: no state is published before it is committed."""
        found = self._row("SELECT state FROM requests WHERE id = ?", progress.request_id)
        assert found == (progress.state,), (
            f"{progress.request_id} is published as {progress.state}; the journal: {found}"
        )

    def _check_final_status(self, path: Path, status: FinalStatus) -> None:
        """I2: an answer equals the journal. I1: it is not marked as published too early, and it never changes."""
        name = status.request_id
        found = self._row(
            "SELECT state, reason, settled_at IS NOT NULL, published FROM requests WHERE id = ?", name
        ) or ("unknown", None, 0, 0)
        assert found[:3] == (status.state, status.reason, 1), f"{name} is published as {status}; the journal: {found}"
        assert name in self.published_at or not found[3], f"the journal marks {name} as published before it is"
        assert not path.is_file(), f"the status of {name} is overwritten"
        self.published_at[name] = self._clock.run_for

    def _check_request_removed(self, name: str) -> None:
        """I1: a request file stays until its answer is readable."""
        assert read_final_status(self._status / f"{name}.json"), (
            f"the request {name} is removed before its answer exists"
        )
        self.published_at[name] = self._clock.run_for

    def _check_status_removed(self, name: str) -> None:
        """I1: an answer stays for the promised time; running time is counted in whole hours."""
        age = self._clock.run_for - self.published_at.get(name, self._clock.run_for)
        assert age + PERIOD_S >= self._retention_s, f"the status of {name} is removed after {age:g} s"
        self.expired.add(name)


def read_final_status(path: Path) -> FinalStatus | None:
    """The status in a file; None when it is missing or incomplete."""
    try:
        return FinalStatus.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
