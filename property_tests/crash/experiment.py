"""One scenario executed once, with its disruptions, and the result."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from property_tests.crash.monitor import PERIOD_S, StatusMonitor
from property_tests.crash.namespace_machine import NamespaceMachine
from property_tests.crash.oracle import check_scenario, runs_of
from property_tests.crash.quiesce import Quiescence
from property_tests.crash.sandbox import MAIN, WATCHER, Sandbox
from property_tests.crash.shell_gates import SHELLS
from property_tests.crash.strace import Strace
from property_tests.crash.supervisor import Supervisor
from property_tests.crash.trial import Disruption, Hit, PowerCut, TraceSpec, Trial, TrialResult
from tests.support.polling import wait_until

_SLOW_PERIOD_S = 0.05  # polling period of the reader where a trial mostly waits


class Experiment:
    """Sets up a host and runs one scenario on it.

    Args:
        folder: a directory that does not exist yet; it is removed again unless a violation was found.
        machine: where it runs, powered on.
        trial: the scenario and its disruptions.
        sources: the tree of the coordinator under test.
    """

    def __init__(self, folder: Path, machine: NamespaceMachine, trial: Trial, sources: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._trial = trial
        self._scenario = scenario = trial.scenario
        self._sandbox = sandbox = Sandbox(folder, machine, sources)
        self._monitor = StatusMonitor(sandbox.status, _SLOW_PERIOD_S if self._ends_with_error else PERIOD_S)
        self._result = TrialResult()
        self._quiescence = Quiescence(sandbox, scenario)
        for name, part in scenario.components.items():
            sandbox.component(name, dict(part.scripts), lock=part.lock, **part.settings)
        sandbox.write_config()

    def run(self) -> TrialResult:
        """Run the scenario: one instance per disruption and one more; an instance may survive an injected error."""
        self._monitor.start()
        try:
            self._run_instances()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self._result.violations.append(str(error))
        finally:
            self._sandbox.kill()
            self._monitor.stop()
        self._result.polls = self._monitor.polls
        if not self._result.violations:
            self._result.violations = check_scenario(
                self._sandbox, self._scenario, self._monitor, self._trial.uncertainty
            )
        if not self._result.violations:
            shutil.rmtree(self._folder)
        return self._result

    def _run_instances(self) -> None:
        disruptions, trace = list(self._trial.disruptions), self._trial.trace
        if self._scenario.before_first_start:
            self._submit()
        elif not disruptions or isinstance(disruptions[0], PowerCut):
            self._first_instance(trace)
        else:
            self._first_disruption(disruptions.pop(0))
        for disruption in disruptions:
            if isinstance(disruption, PowerCut) and self._quiescence.is_quiet():
                break  # a scenario may end before all its cuts
            self._disrupted_instance(disruption)
        if trace and (self._trial.disruptions or self._scenario.before_first_start):
            self._traced_instance(trace)
        self._last_instance()

    # -- instances ------------------------------------------------------------------------------------------------

    def _start_idle(self) -> None:
        """Start a coordinator and wait until it is idle, with the scenario's earlier requests settled."""
        sandbox = self._sandbox
        sandbox.start()
        for request in self._scenario.planned:
            if request.request_id in self._scenario.settled:
                sandbox.submit_and_wait(request.request_id, request.action, request.component)
        self._quiescence.expect(self._quiescence.is_clean, "the earlier requests to be cleaned up")
        for request_id in sorted(self._scenario.taken):
            wait_until(lambda name=request_id: f"{name}.json" in self._monitor.finals, "the reader to see the status")
            self._monitor.take(request_id)
        self._quiescence.expect(sandbox.is_idle, "the coordinator to be idle")

    def _first_instance(self, trace: TraceSpec | None) -> None:
        """The reference run: traced, or up to the first power cut, which ``_disrupted_instance`` awaits."""
        if trace is None:
            self._submit()
            return
        self._start_idle()
        self._attach_strace(trace)
        self._submit()
        self._collect_calls(trace)

    def _first_disruption(self, disruption: Disruption | PowerCut) -> None:
        """Start idle, attach strace, submit the requests, and wait for the disruption."""
        assert isinstance(disruption, Disruption)
        sandbox = self._sandbox
        self._start_idle()
        if disruption.role in SHELLS:
            sandbox.gate_shell(disruption.role)
            self._submit()
            strace = sandbox.attach_strace_to_shell(disruption.role, disruption.names, disruption.injection)
        else:
            strace = sandbox.attach_strace(disruption.role, disruption.names, disruption.injection)
            self._submit()
        self._await_disruption(disruption, strace)

    def _disrupted_instance(self, disruption: Disruption | PowerCut) -> None:
        """An instance that starts on the files of the previous one and is disrupted too."""
        sandbox = self._sandbox
        if isinstance(disruption, PowerCut):
            self._await_cut(disruption)
        elif disruption.role == MAIN:
            strace = sandbox.trace_next_start(disruption.names, disruption.injection)
            sandbox.spawn()
            self._await_disruption(disruption, strace)
        else:
            sandbox.spawn_gated()
            strace = sandbox.attach_strace(disruption.role, disruption.names, disruption.injection)
            sandbox.open_gate()
            self._await_disruption(disruption, strace)

    def _traced_instance(self, trace: TraceSpec) -> None:
        """An instance that starts on the files of the previous one, traced from the start of each thread."""
        self._sandbox.trace_next_start(trace.names)
        self._sandbox.spawn_gated()
        for role in self._roles(trace):
            if role != MAIN:
                self._sandbox.attach_strace(role, trace.names)
        self._sandbox.open_gate()
        self._collect_calls(trace)

    def _last_instance(self) -> None:
        """An instance without disruption, to the end; skipped when the previous one completed the scenario."""
        sandbox, quiescence = self._sandbox, self._quiescence
        for part in self._scenario.components:
            (
                sandbox.root / "components" / part / "go"
            ).touch()  # releases scripts that wait for the end of the scenario
        if not self._ends_with_error or quiescence.has_leftovers():
            begin = time.monotonic()
            sandbox.start()
            self._result.ready_s = time.monotonic() - begin
            quiescence.expect(quiescence.is_answered, "the answers")
            if not self._ends_with_error:
                self._result.settled_s = time.monotonic() - begin
            quiescence.expect(quiescence.is_quiet, "the host to be idle")
            if sandbox.stop() != 0:
                self._result.violations.append("the exit code after SIGTERM was not 0")

    def _submit(self) -> None:
        for request in self._scenario.planned:
            self._sandbox.submit(request.request_id, request.action, request.component)

    def _roles(self, trace: TraceSpec) -> list[str]:
        return [role for role in self._sandbox.threads() if trace.watches or role != WATCHER]

    # -- disruptions ------------------------------------------------------------------------------------------------

    @property
    def _ends_with_error(self) -> bool:
        """Whether the last disruption is an error, after which the same instance completes the scenario."""
        last = self._trial.disruptions[-1] if self._trial.disruptions else None
        return isinstance(last, Disruption) and bool(last.error)

    def _attach_strace(self, trace: TraceSpec) -> None:
        for role in trace.roles:
            self._sandbox.gate_shell(role)
        for role in self._roles(trace) if not trace.roles else ():
            self._sandbox.attach_strace(role, trace.names)

    def _collect_calls(self, trace: TraceSpec) -> None:
        """Wait until a traced instance is idle, and end it."""
        sandbox = self._sandbox
        for role in trace.roles:
            sandbox.attach_strace_to_shell(role, trace.names)
        begin = time.monotonic()
        self._quiescence.expect(self._quiescence.is_answered, "the answers")
        self._result.reference_s = time.monotonic() - begin
        self._quiescence.expect(self._quiescence.is_done, "the host to be idle")
        straces = dict(sandbox.straces)
        self._result.calls = before = {role: strace.calls() for role, strace in straces.items()}
        if trace.stops:
            sandbox.stop()
            self._result.last_calls = {role: strace.calls()[len(before[role]) :] for role, strace in straces.items()}
        sandbox.kill()

    def _await_disruption(self, disruption: Disruption, strace: Strace) -> None:
        """Wait for the disruption and its effect, or for the scenario to end without it."""
        if disruption.error:
            self._await_answer_despite_error(disruption, strace)
            return
        sandbox = self._sandbox
        self._quiescence.expect(lambda: sandbox.has_exited() or self._quiescence.is_done(), "the disruption to happen")
        hit = None
        if sandbox.has_exited():
            (call,) = strace.calls()[-1:] or (None,)
            if call is None or (call.name, call.nth) != (disruption.injection.name, disruption.injection.nth):
                raise AssertionError(f"the coordinator exited unexpectedly, at {call}\n{sandbox.log()[-3000:]}")
            hit = disruption.hit(call)
        if disruption.takes_power:
            sandbox.power_off()
            sandbox.machine.power_on()
        elif hit:
            sandbox.reap()
        else:
            sandbox.kill()
        self._result.hits.append(hit)

    def _await_answer_despite_error(self, disruption: Disruption, strace: Strace) -> None:
        """Supervise a coordinator that receives an error, until it has answered and, on request, stopped."""
        begin = time.monotonic()
        supervisor = Supervisor(self._sandbox)
        try:
            supervisor.expect(self._quiescence, self._quiescence.is_answered, "the answers")
            self._result.settled_s = time.monotonic() - begin
            supervisor.expect(
                self._quiescence, self._quiescence.are_requests_removed, "the request files to be removed"
            )
            supervisor.stop()
        finally:
            self._result.restarts = supervisor.restarts
            self._result.notes += supervisor.notes
            calls = [call for call in strace.calls() if call.injected]
            self._result.hits.append(disruption.hit(calls[0]) if calls else None)

    def _await_cut(self, cut: PowerCut) -> None:
        """Start if necessary, and cut the power as soon as the script has begun, or once the scenario has ended."""
        sandbox, request = self._sandbox, self._scenario.planned[0]
        before = runs_of(sandbox.record, request.request_id).count(cut.script)

        def has_begun() -> bool:
            return runs_of(sandbox.record, request.request_id).count(cut.script) > before

        if sandbox.has_exited():
            sandbox.spawn()
        self._quiescence.expect(
            lambda: sandbox.has_exited() or has_begun() or self._quiescence.is_quiet(), f"{cut.script} to start"
        )
        if sandbox.has_exited():
            raise AssertionError(f"the coordinator exited unexpectedly\n{sandbox.log()[-3000:]}")
        if has_begun():
            self._result.hits.append(Hit("script", f"{cut.script} started", fits=True))
        sandbox.power_off()
        sandbox.machine.power_on()
