"""Looks, at the very instant of each effect, at what a successor would find if the coordinator died right then.

It has a connection of its own to the journal, so that it sees what is committed and nothing else.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pydantic import ValidationError

from coordinator.housekeeping import PERIOD_S
from coordinator.settings import Settings
from executors.interface import ScriptRun
from property_tests.world import HandClock
from protocol.messages import FinalStatus, Progress
from protocol.names import PROGRESS_SUFFIX, is_request_id, stem_of

MANY_STARTS = 200  # of all requests of one host: with every allowance for deaths and refusals, far above what is right


class Witness:
    """``put_out`` tells for each id how long the coordinator had run when it was last answered."""

    def __init__(self, settings: Settings, journal: Path, clock: HandClock) -> None:
        self._journal = journal
        self._requests = settings.paths.requests
        self._status = settings.paths.status
        self._retention_s = settings.limits.status_retention_days * 86400
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self.put_out: dict[str, float] = {}
        self._started: set[tuple[str, int]] = set()
        self.tidied: set[str] = set()  # ids whose answer the coordinator took away again

    def close(self) -> None:
        """Let go of the journal."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _row(self, sql: str, *values: object) -> tuple[object, ...] | None:
        if self._connection is None:
            self._connection = sqlite3.connect(f"{self._journal.as_uri()}?mode=ro", uri=True)
        return self._connection.execute(sql, values).fetchone()

    def forget(self, name: str) -> None:
        """The id means another request from now on."""
        self.put_out.pop(name, None)
        self._started = {attempt for attempt in self._started if attempt[0] != name}

    def sees_start(self, step: ScriptRun) -> None:
        """I2: whoever comes after knows of a script before it starts. I3: no attempt is started twice."""
        found = self._row(
            "SELECT script, attempts.state, requests.state, ending, settled_at FROM attempts"
            " JOIN requests ON requests.id = request_id WHERE request_id = ? AND number = ?",
            step.request_id,
            step.attempt,
        )
        assert found, f"{step.script} of {step.request_id} starts, and the journal knows of no attempt {step.attempt}"
        script, attempt_state, state, *over = found
        assert (script, attempt_state, over) == (step.script, state, [None, None]), f"{step} starts, not as written"
        attempt = (step.request_id, step.attempt)
        assert attempt not in self._started, f"{step.script} of {step.request_id} starts once more as {step.attempt}"
        assert len(self._started) < MANY_STARTS, f"{step.script} of {step.request_id} is started without end"
        self._started.add(attempt)

    def sees(self, effect: str, paths: tuple[Path, ...]) -> None:
        """An effect is about to happen, and will."""
        if not paths:
            return
        source, target = paths[0], paths[-1]
        name = stem_of(source.name) or ""
        if effect in ("unlink", "rmdir", "rename") and source.parent == self._requests and is_request_id(name):
            self._sees_request_go(name)
        elif effect == "unlink" and source.parent == self._status and is_request_id(name):
            self._sees_answer_go(name)
        elif effect == "rename" and target.parent == self._status and target.name.endswith(PROGRESS_SUFFIX):
            self._sees_progress(Progress.model_validate_json(source.read_bytes()))
        elif effect == "rename" and target.parent == self._status and is_request_id(stem_of(target.name) or ""):
            self._sees_answer(target, FinalStatus.model_validate_json(source.read_bytes()))

    def _sees_progress(self, progress: Progress) -> None:
        """I2: nobody is told of a state that is not written down."""
        found = self._row("SELECT state FROM requests WHERE id = ?", progress.request_id)
        assert found == (progress.state,), f"{progress.request_id} is said to be {progress.state}; the journal: {found}"

    def _sees_answer(self, path: Path, status: FinalStatus) -> None:
        """I2: an answer is what the journal says. I1: it is not said to be out before it is, and it never changes."""
        name = status.request_id
        found = self._row(
            "SELECT state, reason, settled_at IS NOT NULL, published FROM requests WHERE id = ?", name
        ) or ("unknown", None, 0, 0)
        assert found[:3] == (status.state, status.reason, 1), f"{name} is answered {status}; the journal: {found}"
        assert name in self.put_out or not found[3], f"the journal calls {name} answered before it is"
        assert not path.is_file(), f"the answer to {name} is written over"
        self.put_out[name] = self._clock.run_for

    def _sees_request_go(self, name: str) -> None:
        """I1: a request stays until its answer can be read."""
        assert whole(self._status / f"{name}.json"), f"the request {name} goes, and there is no answer to it"
        self.put_out[name] = self._clock.run_for

    def _sees_answer_go(self, name: str) -> None:
        """I1: an answer that nobody has taken stays for as long as promised; time is counted by the hour."""
        age = self._clock.run_for - self.put_out.get(name, self._clock.run_for)
        assert age + PERIOD_S >= self._retention_s, f"the answer to {name} goes after {age:g} s"
        self.tidied.add(name)


def whole(path: Path) -> FinalStatus | None:
    """The status in a file; None when there is none, or only a part of one."""
    try:
        return FinalStatus.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
