"""One story told once, something that befalls the coordinator on the way, and what came of it."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from property_tests.crash.monitor import PERIOD_S, Lookout
from property_tests.crash.namespace_machine import Machine
from property_tests.crash.oracle import judge, runs_of
from property_tests.crash.quiesce import Rest
from property_tests.crash.sandbox import MAIN, WATCHER, Stage
from property_tests.crash.shell_gates import SHELLS
from property_tests.crash.strace import Strace
from property_tests.crash.supervisor import Supervisor
from property_tests.crash.trial import Blow, Cut, Hit, Look, Result, Trial
from tests.support.real_host import until

_SELDOM_S = 0.05  # between two looks of the reader where most of the time is spent in waiting


class Experiment:
    """Sets a host up and tells one story on it.

    Args:
        folder: a folder that does not exist yet; it is removed again unless something was wrong.
        machine: where it happens, powered on.
        trial: the story, and what befalls it.
        sources: the tree whose coordinator is tried.
    """

    def __init__(self, folder: Path, machine: Machine, trial: Trial, sources: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._trial = trial
        self._scenario = scenario = trial.scenario
        self._stage = stage = Stage(folder, machine, sources)
        self._lookout = Lookout(stage.status, _SELDOM_S if self._is_over else PERIOD_S)
        self._result = Result()
        self._rest = Rest(stage, scenario)
        for name, part in scenario.components.items():
            stage.component(name, dict(part.scripts), lock=part.lock, **part.settings)
        stage.write_config()

    def run(self) -> Result:
        """Tell the story: one life per blow and one more; an error that a call returns need not end a life."""
        self._lookout.start()
        try:
            self._tell()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self._result.faults.append(str(error))
        finally:
            self._stage.kill()
            self._lookout.stop()
        self._result.polls = self._lookout.polls
        if not self._result.faults:
            self._result.faults = judge(self._stage, self._scenario, self._lookout, self._trial.doubt)
        if not self._result.faults:
            shutil.rmtree(self._folder)
        return self._result

    def _tell(self) -> None:
        blows, look = list(self._trial.blows), self._trial.look
        if self._scenario.at_birth:
            self._ask()
        elif not blows or isinstance(blows[0], Cut):
            self._first_life(look)
        else:
            self._first_blow(blows.pop(0))
        for blow in blows:
            if isinstance(blow, Cut) and self._rest.is_quiet():
                break  # a story need not live to see all the cuts in store for it
            self._life_to(blow)
        if look and (self._trial.blows or self._scenario.at_birth):
            self._observed_life(look)
        self._last_life()

    # -- lives -------------------------------------------------------------------------------------------------

    def _stand(self) -> None:
        """A coordinator that rests, with everything in place that the story begins with."""
        stage = self._stage
        stage.start()
        for wish in self._scenario.wishes:
            if wish.request_id in self._scenario.settled:
                stage.settle(wish.request_id, wish.action, wish.component)
        self._rest.expect(self._rest.is_clean, "the earlier requests to be forgotten")
        for request_id in sorted(self._scenario.taken):
            until(lambda name=request_id: f"{name}.json" in self._lookout.finals, "the reader to see the answer")
            self._lookout.take(request_id)
        self._rest.expect(stage.is_at_rest, "the coordinator to come to rest")

    def _first_life(self, look: Look | None) -> None:
        """The story as it is; looked at, or told up to the first cut, which ``_life_to`` waits for."""
        if look is None:
            self._ask()
            return
        self._stand()
        self._watch_all(look)
        self._ask()
        self._note_calls(look)

    def _first_blow(self, blow: Blow | Cut) -> None:
        """Everything stands and waits, then the client asks, and the blow falls."""
        assert isinstance(blow, Blow)
        stage = self._stage
        self._stand()
        if blow.role in SHELLS:
            stage.gate_shell(blow.role)
            self._ask()
            strace = stage.watch_shell(blow.role, blow.names, blow.injection)
        else:
            strace = stage.watch(blow.role, blow.names, blow.injection)
            self._ask()
        self._await(blow, strace)

    def _life_to(self, blow: Blow | Cut) -> None:
        """A start that finds what the last life left, and is struck in its turn."""
        stage = self._stage
        if isinstance(blow, Cut):
            self._await_cut(blow)
        elif blow.role == MAIN:
            strace = stage.under_strace(blow.names, blow.injection)
            stage.spawn()
            self._await(blow, strace)
        else:
            stage.spawn_gated()
            strace = stage.watch(blow.role, blow.names, blow.injection)
            stage.open_gate()
            self._await(blow, strace)

    def _observed_life(self, look: Look) -> None:
        """A start that finds what the last life left, seen from the birth of each of its threads."""
        self._stage.under_strace(look.names)
        self._stage.spawn_gated()
        for role in self._roles(look):
            if role != MAIN:
                self._stage.watch(role, look.names)
        self._stage.open_gate()
        self._note_calls(look)

    def _last_life(self) -> None:
        """A start that nobody disturbs, to the end; none, when the life before has come there by itself."""
        stage, rest = self._stage, self._rest
        for part in self._scenario.components:
            (stage.root / "components" / part / "go").touch()  # whoever waits for the end of the story
        if not self._is_over or rest.has_leavings():
            begin = time.monotonic()
            stage.start()
            self._result.ready_s = time.monotonic() - begin
            rest.expect(rest.is_answered, "the answers")
            if not self._is_over:
                self._result.settled_s = time.monotonic() - begin
            rest.expect(rest.is_quiet, "everything to come to rest")
            if stage.stop() != 0:
                self._result.faults.append("it did not end with 0 after SIGTERM")

    def _ask(self) -> None:
        for wish in self._scenario.wishes:
            self._stage.ask(wish.request_id, wish.action, wish.component)

    def _roles(self, look: Look) -> list[str]:
        return [role for role in self._stage.threads() if look.watches or role != WATCHER]

    # -- blows -------------------------------------------------------------------------------------------------

    @property
    def _is_over(self) -> bool:
        """Whether the story has come to its end under an error, which need not end a life."""
        last = self._trial.blows[-1] if self._trial.blows else None
        return isinstance(last, Blow) and bool(last.error)

    def _watch_all(self, look: Look) -> None:
        for role in look.roles:
            self._stage.gate_shell(role)
        for role in self._roles(look) if not look.roles else ():
            self._stage.watch(role, look.names)

    def _note_calls(self, look: Look) -> None:
        """Let a life that is looked at come to rest, and end it."""
        stage = self._stage
        for role in look.roles:
            stage.watch_shell(role, look.names)
        begin = time.monotonic()
        self._rest.expect(self._rest.is_answered, "the answers")
        self._result.told_s = time.monotonic() - begin
        self._rest.expect(self._rest.is_done, "everything to come to rest")
        straces = dict(stage.straces)
        self._result.calls = before = {role: strace.calls() for role, strace in straces.items()}
        if look.stops:
            stage.stop()
            self._result.last_calls = {role: strace.calls()[len(before[role]) :] for role, strace in straces.items()}
        stage.kill()

    def _await(self, blow: Blow, strace: Strace) -> None:
        """Wait for the blow to fall and for what it does, or for the story to end without it."""
        if blow.error:
            self._endure(blow, strace)
            return
        stage = self._stage
        self._rest.expect(lambda: stage.ended() or self._rest.is_done(), "the blow to fall")
        hit = None
        if stage.ended():
            (call,) = strace.calls()[-1:] or (None,)
            if call is None or (call.name, call.nth) != (blow.injection.name, blow.injection.nth):
                raise AssertionError(f"it ended by itself, at {call}\n{stage.log()[-3000:]}")
            hit = blow.hit(call)
        if blow.takes_power:
            stage.power_off()
            stage.machine.power_on()
        elif hit:
            stage.bury()
        else:
            stage.kill()
        self._result.hits.append(hit)

    def _endure(self, blow: Blow, strace: Strace) -> None:
        """Be the supervisor of a coordinator that meets an error, until it has answered and, asked to, stopped."""
        begin = time.monotonic()
        supervisor = Supervisor(self._stage)
        try:
            supervisor.expect(self._rest, self._rest.is_answered, "the answers")
            self._result.settled_s = time.monotonic() - begin
            supervisor.expect(self._rest, self._rest.is_taken_away, "the requests to be taken away")
            supervisor.stop()
        finally:
            self._result.restarts = supervisor.restarts
            self._result.notes += supervisor.notes
            calls = [call for call in strace.calls() if call.injected]
            self._result.hits.append(blow.hit(calls[0]) if calls else None)

    def _await_cut(self, cut: Cut) -> None:
        """Start, if need be, and cut the power as soon as the script has begun, or once the story has ended."""
        stage, wish = self._stage, self._scenario.wishes[0]
        before = runs_of(stage.record, wish.request_id).count(cut.script)

        def has_begun() -> bool:
            return runs_of(stage.record, wish.request_id).count(cut.script) > before

        if stage.ended():
            stage.spawn()
        self._rest.expect(lambda: stage.ended() or has_begun() or self._rest.is_quiet(), f"{cut.script} to begin")
        if stage.ended():
            raise AssertionError(f"it ended by itself\n{stage.log()[-3000:]}")
        if has_begun():
            self._result.hits.append(Hit("script", f"{cut.script} began", fits=True))
        stage.power_off()
        stage.machine.power_on()
