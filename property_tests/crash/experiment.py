"""One story told once, the coordinator struck down on the way, and what came of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from property_tests.crash.calls import Call
from property_tests.crash.lookout import Lookout
from property_tests.crash.machine import Machine
from property_tests.crash.scenarios import Scenario
from property_tests.crash.stage import MAIN, WATCHER, Stage
from property_tests.crash.strace import Injection
from property_tests.crash.verdict import judge
from tests.integration.real_host import REPOSITORY, until

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Blow:
    """Where one life of the coordinator ends: at which call of which thread."""

    role: str
    injection: Injection

    def __str__(self) -> str:
        return f"{self.role}: {self.injection}"


@dataclass
class Result:
    """What came of an experiment.

    Args:
        hits: per blow the call at which it fell, None when the life ended without it.
        faults: what is wrong, in words.
        told_s: how long the story took while its calls were noted, in seconds.
        settled_s: from the last start to the last answer, in seconds.
        ready_s: from that start to its "ready", in seconds.
        polls: how often the reader looked.
        calls: per role what the last life called, when it was looked at.
    """

    hits: list[Call | None] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    told_s: float = 0.0
    settled_s: float = 0.0
    ready_s: float = 0.0
    polls: int = 0
    calls: dict[str, list[Call]] = field(default_factory=dict)


class Experiment:
    """Sets a host up and tells one story on it.

    Args:
        folder: a folder that does not exist yet; it is removed again unless something was wrong.
        machine: where it happens, powered on.
        scenario: the story.
        sources: the tree whose coordinator is tried.
    """

    def __init__(self, folder: Path, machine: Machine, scenario: Scenario, sources: Path = REPOSITORY) -> None:
        folder.mkdir()
        self._folder = folder
        self._scenario = scenario
        self._stage = stage = Stage(folder, machine, sources)
        self._lookout = Lookout(stage.status)
        self._result = Result()
        for name, part in scenario.components.items():
            stage.component(name, dict(part.scripts), lock=part.lock, **part.settings)
        stage.write_config()

    def run(self, blows: Sequence[Blow], *, observe: bool = False) -> Result:
        """Tell the story, one life per blow and one more.

        Args:
            blows: the first falls while the story is told, each other one during the recovery from the one before.
            observe: whether to note what is called by the life that follows the last blow.
        """
        self._lookout.start()
        try:
            self._tell(list(blows), observe=observe)
            if self._stage.stop() != 0:
                self._result.faults.append("it did not end with 0 after SIGTERM")
        except (AssertionError, TimeoutError) as error:
            self._result.faults.append(str(error))
        finally:
            self._stage.kill()
            self._lookout.stop()
        self._result.polls = self._lookout.polls
        if not self._result.faults:
            self._result.faults = judge(self._stage, self._scenario, self._lookout)
        if not self._result.faults:
            shutil.rmtree(self._folder)
        return self._result

    def _tell(self, blows: list[Blow], *, observe: bool) -> None:
        if self._scenario.at_birth:
            self._ask()
        else:
            self._first_life(blows.pop(0) if blows else None)
        for blow in blows:
            self._start_to_fall(blow)
        if observe:
            self._observed_life()
        self._last_life()

    # -- lives -------------------------------------------------------------------------------------------------

    def _first_life(self, blow: Blow | None) -> None:
        """Everything stands and waits, then the client asks."""
        stage = self._stage
        stage.start()
        for wish in self._scenario.wishes:
            if wish.request_id in self._scenario.settled:
                stage.settle(wish.request_id, wish.action, wish.component)
        self._expect(self._is_clean, "the earlier requests to be forgotten")
        for request_id in sorted(self._scenario.taken):
            until(lambda name=request_id: f"{name}.json" in self._lookout.finals, "the reader to see the answer")
            self._lookout.take(request_id)
        stage.await_rest()
        for role in self._roles() if blow is None else (blow.role,):
            stage.watch(role, blow.injection if blow else None)
        self._ask()
        if blow is None:
            self._note_calls()
        else:
            self._await(blow)

    def _start_to_fall(self, blow: Blow) -> None:
        """A start that finds what the last life left, and is struck down in its turn."""
        if blow.role == MAIN:
            self._stage.under_strace(blow.injection)
            self._stage.spawn()
        else:
            self._stage.spawn_gated()
            self._stage.watch(blow.role, blow.injection)
            self._stage.open_gate()
        self._await(blow)

    def _observed_life(self) -> None:
        """A start that finds what the last life left, seen from the birth of each of its threads."""
        self._stage.under_strace()
        self._stage.spawn_gated()
        for role in self._roles():
            if role != MAIN:
                self._stage.watch(role)
        self._stage.open_gate()
        self._note_calls()

    def _last_life(self) -> None:
        """A start that nobody disturbs."""
        begin = time.monotonic()
        self._stage.start()
        self._result.ready_s = time.monotonic() - begin
        self._expect(self._is_answered, "the answers")
        self._result.settled_s = time.monotonic() - begin
        self._expect(self._is_quiet, "everything to come to rest")

    def _ask(self) -> None:
        for wish in self._scenario.wishes:
            self._stage.ask(wish.request_id, wish.action, wish.component)

    def _roles(self) -> list[str]:
        return [role for role in self._stage.threads() if role != WATCHER]

    def _note_calls(self) -> None:
        """Let a life that is looked at come to rest, and end it."""
        begin = time.monotonic()
        self._expect(self._is_answered, "the answers")
        self._result.told_s = time.monotonic() - begin
        self._expect(self._is_quiet, "everything to come to rest")
        self._result.calls = {role: strace.calls() for role, strace in self._stage.straces.items()}
        self._stage.kill()

    def _await(self, blow: Blow) -> None:
        """Wait for the blow to fall, or for the story to end without it."""
        stage = self._stage
        self._expect(lambda: stage.ended() or self._is_quiet(), "the blow to fall")
        if not stage.ended():
            stage.kill()
            self._result.hits.append(None)
            return
        (hit,) = stage.straces[blow.role].calls()[-1:] or (None,)
        log = stage.log()[-3000:]
        stage.bury()
        if hit is None or (hit.name, hit.nth) != (blow.injection.name, blow.injection.nth):
            raise AssertionError(f"it ended by itself, at {hit}\n{log}")
        self._result.hits.append(hit)

    # -- what is waited for ------------------------------------------------------------------------------------

    def _expect(self, condition: Callable[[], bool], what: str) -> None:
        until(condition, f"{what}\n{self._stage.log()[-3000:]}", PATIENCE_S)

    def _is_answered(self) -> bool:
        return all(self._stage.final(wish.request_id).exists() for wish in self._scenario.wishes)

    def _is_quiet(self) -> bool:
        return self._is_answered() and self._is_clean()

    def _is_clean(self) -> bool:
        stage = self._stage
        return not (
            any(stage.requests.iterdir())
            or any(stage.status.glob("*.progress.json"))
            or any((stage.state / "runs").glob("*"))
        )
