"""I1-I5, I7, I9, I10, I13: the whole coordinator in one thread, killed anywhere, against a small model of what is true.

Journal, spool, intake, runner, publisher, recovery and rebuild are the real ones, wired by ``coordinator.app.build``.
Only time and scripts are fakes, and ``tick`` takes the place of threads and watcher.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from fakes import Deed, FakeExecutor, Fuse, HandClock, KilledError, NoBell, NoWatcher, Spool, World
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from loguru import logger

import executors.loading
from coordinator import app, orchestrator
from coordinator.settings import Component, Limits, Paths, Settings
from executors.step import Conclusion
from fsm.database import Database
from fsm.errors import JournalDamagedError
from fsm.table import MOVES
from protocol.messages import Action, FinalStatus, Progress, Reason, State
from protocol.names import PROGRESS_SUFFIX, is_request_id, stem_of

RAM = "/dev/shm"  # noqa: S108  only a faster disk
IDS = ("a", "b", "c", "d", "e")
COMPONENTS = ("core", "scheduler", "remote")
NO_ROLLBACK, RERUN = "core", "scheduler"
MAIN = {Action.UPDATE: "update.sh", Action.ROLLBACK: "rollback.sh", Action.HEALTH: "health-check.sh"}
LEGAL = {(move.event, move.source, move.dest) for move in MOVES}
REFUSALS = {Reason.INVALID_REQUEST, Reason.UNKNOWN_COMPONENT, Reason.SCRIPT_UNSAFE}
UNSAFE_NAMES = ("-x.json", ".json", "a b.json", "a.progress.json", "x" * 200 + ".json", "a\n.json", "\udcff.json")

kills = st.one_of(st.none(), st.integers(0, 12), st.integers(0, 45))
deeds = st.lists(st.sampled_from([Deed.OK, Deed.OK, *Deed]), min_size=1, max_size=3).map(tuple)


def _request(request_id, component, action, version, **more):
    fields = {"component": component, "action": action, "version": version, "request_id": request_id}
    return json.dumps(fields | {"timestamp": "2026-01-16T10:30:00Z"} | more).encode()


def _link(path):
    path.symlink_to("/etc/hostname")


def _second_name(path):
    other = path.with_name(f".{path.name}.other")
    other.unlink(missing_ok=True)
    other.write_bytes(b"{}")
    os.link(other, path)


def _folder(path):
    path.mkdir()
    (path / "inside").write_bytes(b"{}")


GARBAGE = {
    "empty": lambda _: b"",
    "half": lambda stem: _request(stem, "core", "update", "1.0.0")[:-9],
    "no object": lambda _: b"[1]",
    "not UTF-8": lambda _: b"\xff\xfe\x00",
    "nested": lambda _: b"[" * 20_000,
    "doubled": lambda stem: b'{"component":"core",' + _request(stem, "core", "update", "1.0.0")[1:],
    "wrong type": lambda stem: _request(stem, 7, "update", "1.0.0"),
    "missing": lambda _: b'{"component": "core"}',
    "no version": lambda stem: _request(stem, "core", "update", None),
    "bad version": lambda stem: _request(stem, "core", "update", "1.0.0; rm -rf /"),
    "other id": lambda stem: _request(f"{stem}x", "core", "update", "1.0.0"),
    "unknown": lambda stem: _request(stem, "nobody", "update", "1.0.0"),
    "too large": lambda stem: _request(stem, "core", "update", "1.0.0", padding="x" * 70_000),
    "link": lambda _: _link,
    "hard link": lambda _: _second_name,
    "FIFO": lambda _: os.mkfifo,
    "folder": lambda _: _folder,
}


class Coordinator(RuleBasedStateMachine):
    """Drives one host through its troubles.

    What the model knows: ``wishes`` (every content that was ever asked under an id), ``owed`` (ids whose file nobody
    has answered yet), ``answers`` (the one final status seen under an id), ``started`` (how many scripts it had run
    when it was settled), ``since`` (how far back the world's history counts for an id that was forgotten with a
    journal), ``doubtful`` (ids that a lost journal left unanswered: they count as interrupted).
    """

    @initialize()
    def install(self):
        self.stack = ExitStack()
        root = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=RAM if Path(RAM).is_dir() else None)))
        self.state = root / "state"
        self.clock, self.fuse = HandClock(), Fuse()
        self.world = World(self.state / "runs", self.clock, self.fuse)
        self.spool = Spool(root / "requests", root / "status")
        self.spool.requests.mkdir()
        self.spool.status.mkdir()
        self.settings = Settings(
            paths=Paths(requests=self.spool.requests, status=self.spool.status, state=self.state, log_file=None),
            limits=Limits(settle_s=2),
            components={
                "core": Component(directory=Path("/c/core"), on_failure="none"),
                "scheduler": Component(directory=Path("/c/scheduler"), lock="compose", on_interruption="rerun"),
                "remote": Component(directory=Path("/c/remote"), lock="compose"),
            },
        )
        self._put_fakes_in_place()
        self.daemon = self.resources = None
        self.lost = self.power_failed = False
        self.wishes = {}
        self.owed, self.doubtful = set(), set()
        self.answers, self.started, self.since, self.restored = {}, {}, {}, {}

    def _put_fakes_in_place(self):
        kind = SimpleNamespace(create=lambda _settings, _clock: FakeExecutor(self.world))
        for patched in (
            patch.object(executors.loading, "load", lambda _name: kind),
            patch.object(app, "boot_id", lambda: self.world.boot_id),
            patch.object(app, "Watcher", NoWatcher),
            patch.object(app, "Bell", NoBell),
            patch.object(orchestrator, "Bell", NoBell),
            patch.object(Database, "__init__", self._remember(Database.__init__)),
            self.fuse.everywhere(),
        ):
            self.stack.enter_context(patched)
        logger.disable("coordinator")
        self.stack.callback(logger.enable, "coordinator")

    def _remember(self, original):
        self.connections = []

        def init(database, *arguments):
            original(database, *arguments)
            self.connections.append(database)

        return init

    # -- the client ----------------------------------------------------------------------------------------------

    @rule(
        request_id=st.sampled_from(IDS),
        component=st.sampled_from(COMPONENTS),
        action=st.sampled_from([Action.UPDATE, Action.UPDATE, Action.ROLLBACK, Action.HEALTH]),
        version=st.sampled_from(["1.0.0", "v2.0.0"]),
        drawn=st.fixed_dictionaries(dict.fromkeys(MAIN.values(), deeds)),
    )
    def submit(self, request_id, component, action, version, drawn):
        """A request; under a known id a second wish, which changes nothing. Scripts stay as first drawn."""
        for script, what in drawn.items():
            self.world.deeds.setdefault((request_id, script), what)
        self._ask(request_id, _request(request_id, component, action, version), (component, action, version))

    @precondition(lambda self: self.wishes)
    @rule(data=st.data())
    def submit_again(self, data):
        """The very same wish once more."""
        request_id = data.draw(st.sampled_from(sorted(self.wishes)))
        component, action, version = self.wishes[request_id][0]
        self._ask(request_id, _request(request_id, component, action, version), (component, action, version))

    @rule(stem=st.sampled_from([*IDS, "x", "y"]), kind=st.sampled_from(sorted(GARBAGE)))
    def garbage(self, stem, kind):
        """Something that is no request, also under ids that are under way."""
        self._ask(stem, GARBAGE[kind](stem))

    @rule(name=st.sampled_from(UNSAFE_NAMES))
    def unsafe_name(self, name):
        """A name that cannot be answered."""
        self.spool.place(name, _request("a", "core", "update", "1.0.0"))

    @rule(name=st.sampled_from(IDS))
    def take_answer(self, name):
        """The client reads its answer and deletes it."""
        status = self.spool.status / f"{name}.json"
        if status.exists():
            self._look()
            status.unlink()
            if f"{name}.json" not in self.spool.names():
                self.owed.discard(name)

    def _ask(self, stem, content, wish=None):
        self.spool.place(f"{stem}.json", content)
        self.owed.add(stem)
        if wish:
            self.wishes.setdefault(stem, []).append(wish)

    # -- the host ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.daemon)
    @rule(kill=kills, stop_in=st.one_of(st.none(), st.none(), st.integers(0, 2)), runs=st.integers(0, 3))
    def tick(self, kill, stop_in, runs):
        """One pass, then each lane takes up to ``runs`` requests; death or an impatient stop may come between."""
        self._live(kill, lambda: self._pass(runs, stop_in))

    @precondition(lambda self: self.daemon)
    @rule()
    def stop(self):
        """The coordinator ends between two scripts."""
        self._down()

    @precondition(lambda self: not self.daemon)
    @rule(
        same_boot=st.booleans(),
        meanwhile=st.lists(st.booleans(), min_size=3, max_size=3),
        kill=kills,
        cut=st.booleans(),
    )
    def boot(self, same_boot, meanwhile, kill, cut):
        """The coordinator comes up, on the same boot or the next; scripts may have ended while it was away."""
        for run, ends in zip(self.world.alive(), meanwhile, strict=False):
            if ends:
                run.end()
        if not same_boot:
            self.world.reboot()
            if cut:
                for progress in self.spool.status.glob(f"*{PROGRESS_SUFFIX}"):
                    progress.write_bytes(b"")  # written, not synced: a power cut may take the content
        self._up(kill)

    @precondition(lambda self: not self.daemon)
    @rule()
    def lose_journal(self):
        """Somebody deletes it."""
        for path in self.state.glob("journal.db*"):
            if ".damaged" not in path.name:
                self.lost = True
                path.unlink()

    @precondition(lambda self: not self.daemon and (self.state / app.JOURNAL).exists())
    @rule(start=st.sampled_from([0, 100, 4096]))
    def damage_journal(self, start):
        """The disk loses it, in part; what it is now no longer opens, or fails its check after a bad run."""
        journal = self.state / app.JOURNAL
        for beside in (Path(f"{journal}-wal"), Path(f"{journal}-shm")):
            beside.unlink(missing_ok=True)
        size = journal.stat().st_size
        if size > start:
            with journal.open("r+b") as file:
                file.seek(start)
                file.write(b"\xa5" * (size - start))
            (self.state / app.SUSPECT).touch()  # as the bad run leaves it
            self.lost = True

    @rule(years=st.integers(-30, 30))
    def turn_clock(self, years):
        """No battery, or NTP at last."""
        self.clock.jump(years)

    @rule(component=st.sampled_from(COMPONENTS), unsafe=st.booleans())
    def change_mode(self, component, unsafe):
        """Scripts become writable by others, or are mended."""
        (self.world.unsafe.add if unsafe else self.world.unsafe.discard)(component)

    @rule()
    def drain(self):
        """I9, I1: one start, left alone, answers everything there is."""
        self._drain()

    # -- how it is done ------------------------------------------------------------------------------------------

    def _live(self, kill, work):
        """Do ``work`` until the fuse burns down; then nothing in memory is left."""
        try:
            with self.fuse.armed(kill):
                work()
        except KilledError:
            self._down()
        except JournalDamagedError as error:
            self.daemon._fatal(error)
            self._down()
        else:
            if self.daemon._stopping.is_set():
                self._down()

    def _up(self, kill=None):
        self.resources = ExitStack()
        if self.lost:
            self._forget()
        self._live(kill, self._build)

    def _build(self):
        self.daemon = daemon = app.build(self.settings, self.clock, self.resources)
        daemon._abandon_unconfigured()
        self.world.on_stop = lambda: (daemon._stopping.set(), daemon._must_stop.set())
        self.lost = False

    def _down(self):
        self.daemon, self.world.stop_in = None, None
        self.resources.close()
        for connection in self.connections:  # one that a kill left open; a dead process holds nothing
            connection.close()
        self.connections.clear()

    def _pass(self, runs, stop_in=None):
        daemon, self.world.stop_in = self.daemon, stop_in
        daemon._publisher.retry()
        daemon._intake.sweep()
        for components in self.settings.lanes.values():
            for _ in range(runs):
                record = daemon._journal.next_due(components)
                if record is None or daemon._stopping.is_set():
                    break
                daemon._orchestrator._runner.run(record)

    def _drain(self):
        if not self.daemon:
            self._up()
        self._pass(50)
        self.clock.sleep(2.5)  # limits.settle_s: half a request is judged after it
        self._pass(50)
        assert not self.spool.names(), "unanswered requests are left"
        self._look()
        missing = [name for name in self.owed if not (self.spool.status / f"{name}.json").exists()]
        assert not missing, f"no answer: {missing}"
        assert not list(self.spool.status.glob(f"*{PROGRESS_SUFFIX}")), "progress outlived its answer"
        assert self.daemon._journal.next_due(COMPONENTS) is None
        assert not self.daemon._journal.unpublished(1)
        assert not self.world.alive(), "a script outlived its request"

    def _forget(self):
        """What a coordinator without a journal can still know, from the two folders alone (I13)."""
        asked = {stem_of(name) for name in self.spool.names()}
        for name in {*self.wishes, *self.answers, *self.owed}:
            if (self.spool.status / f"{name}.json").exists():
                if name in self.answers:  # the same answer, though its runs are no longer known in full
                    self.restored[name] = _core(self.answers[name])
                continue
            self.answers.pop(name, None)
            self.restored.pop(name, None)
            self.started.pop(name, None)
            if name in asked:
                self.doubtful.add(name)
            else:
                self.since[name] = len(self.world.history)
                self.doubtful.discard(name)

    def _runs(self, name, script=None):
        runs = self.world.history[self.since.get(name, 0) :]
        return [run for run in runs if run.request_id == name and script in (None, run.script)]

    # -- what must be true ---------------------------------------------------------------------------------------

    @invariant()
    def statuses_are_whole_single_and_true(self):
        """I5, I1."""
        self._look()

    def _look(self):
        for path in self.spool.status.glob("*.json"):
            if path.name.endswith(PROGRESS_SUFFIX):
                if path.stat().st_size or self.daemon:
                    Progress.model_validate_json(path.read_bytes())
                continue
            name = stem_of(path.name)
            assert is_request_id(name)
            status = FinalStatus.model_validate_json(path.read_bytes())
            if name in self.restored and _core(status) == self.restored[name]:
                self.answers[name] = status
            earlier = self.answers.setdefault(name, status)
            assert status == earlier, f"{name} was answered twice"
            self.started.setdefault(name, len(self._runs(name)))
            self._check_truth(name, status)

    def _check_truth(self, name, status):
        assert status.request_id == name
        assert status.success == (status.state is State.SUCCEEDED)
        assert (status.reason is None) == status.success
        runs = self._runs(name)
        health = [run for run in runs if run.script == "health-check.sh"]
        undone = [run for run in runs if run.script == "rollback.sh"]
        if status.reason not in REFUSALS:
            assert (status.component, status.action, status.version) in self.wishes[name]
        if status.state is State.SUCCEEDED:
            main = self._runs(name, MAIN[status.action])
            assert main, f"{name} is said to have succeeded, but never ran"
            assert main[-1].is_ok
            assert runs[-1] is health[-1]
            assert runs[-1].is_ok
            assert main[-1].version == (status.version or "")
        elif status.state is State.ROLLED_BACK:
            assert status.action is Action.UPDATE
            assert undone[-1].is_ok
            assert runs[-1] is health[-1]
            assert runs[-1].is_ok
            self._check_reason(name, status, runs)
        else:
            self._check_reason(name, status, runs)

    def _check_reason(self, name, status, runs):
        refused = name in {request_id for request_id, _ in self.world.refusals}
        unclear = (
            name in self.doubtful
            or self.world.boot > 1  # a script that never began is not told from one that the reboot took
            or any(run.exit_code is None or run.ended_by is Conclusion.INTERRUPTED for run in runs)
        )
        badly = [run for run in runs if not run.is_alive and run.ended_by is None and run.exit_code]
        vetoed = "others may write it" in status.message
        holds = {
            Reason.INVALID_REQUEST: not runs or name in self.doubtful,
            Reason.UNKNOWN_COMPONENT: not runs or name in self.doubtful,
            Reason.SCRIPT_UNSAFE: vetoed,
            Reason.SCRIPT_FAILED: any(run.script != "health-check.sh" for run in badly),
            Reason.UNHEALTHY: any(run.script == "health-check.sh" for run in badly),
            Reason.TIMEOUT: any(run.ended_by is Conclusion.TIMED_OUT for run in runs),
            Reason.INTERRUPTED: unclear,
            Reason.CANNOT_START: refused,
            Reason.ROLLBACK_FAILED: vetoed or refused or unclear or any(not run.is_ok for run in runs),
        }
        assert holds[status.reason], f"{name} is said to be {status.reason}: {status.message}; it ran {runs}"

    @invariant()
    def nothing_starts_twice(self):
        """I3, I7, and I10."""
        for run in self.world.history:
            assert not run.beside, f"{run.request_id} {run.script} started beside {run.beside}"
        for name in self.wishes:
            for script in ("update.sh", "rollback.sh"):
                runs = self._runs(name, script)
                # A lost journal takes the knowledge along that rollback.sh may have run: it may once more (I13).
                allowed = 2 if name in self.doubtful and script == "rollback.sh" else 1
                again = [run for run in runs if run.component != RERUN]
                assert len(again) <= allowed, f"{script} was started {len(again)} times for {name}"
                assert len(runs) <= 12, f"{script} is started for {name} without end"
            if name in self.started:
                assert len(self._runs(name)) == self.started[name], f"{name} was settled, and ran again"

    @invariant()
    def journal_is_legal(self):
        """I4; and what it says to be settled stays so."""
        if not self.daemon:
            return
        journal = self.daemon._journal
        for name in {*self.wishes, *self.owed}:
            record = journal.get(name)
            if record is None:
                continue
            state = State.RECEIVED
            for move in journal.transitions(name):
                assert (move.event, move.source, move.dest) in LEGAL
                assert move.source is state
                state = move.dest
            assert state is record.state
            if name in self.answers and record.settled_at:
                assert record.state is self.answers[name].state

    def teardown(self):
        if not hasattr(self, "stack"):
            return
        try:
            if sys.exc_info()[0] is None:  # else the first failure is the one to tell
                self._drain()
        finally:
            if self.resources:
                self._down()
            self.stack.close()


def _core(status):
    """What an answer keeps even when the journal is lost: all but what is known of its runs."""
    return status.model_dump(include={"request_id", "component", "action", "version", "success", "state", "reason"})


TestCoordinator = Coordinator.TestCase
# Half a millisecond a step: six times the examples of the profile still take seconds.
TestCoordinator.settings = settings(
    max_examples=6 * settings.default.max_examples, stateful_step_count=40, deadline=None
)
