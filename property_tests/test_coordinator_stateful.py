"""I1-I5, I7, I9, I10, I13: stateful test of the whole coordinator, crashed at any effect, against a reference model."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coordinator.state_folder import SUSPECT
from property_tests.answer_check import MAIN_SCRIPT
from property_tests.malformed_requests import MALFORMED
from property_tests.model import Model
from property_tests.simulated_host import COMPONENTS, DAY_S, SimulatedHost, request
from property_tests.world import ScriptBehavior
from protocol.types import Action

TO_1970 = -100 * 365  # days; to the start of the epoch
IDS = ("a", "b", "c", "d", "e")
UNSAFE_NAMES = ("-x.json", ".json", "a b.json", "a.progress.json", "x" * 200 + ".json", "a\n.json", "\udcff.json")

kills = st.one_of(st.none(), st.integers(0, 12), st.integers(0, 45))
cuts = st.one_of(st.none(), st.none(), st.integers(0, 3))
behaviors = st.lists(
    st.sampled_from([ScriptBehavior.OK, ScriptBehavior.OK, *ScriptBehavior]), min_size=1, max_size=3
).map(tuple)


class Coordinator(RuleBasedStateMachine):
    """Drives one host through requests, crashes, power cuts and clock changes."""

    @initialize()
    def install(self):
        self.host = SimulatedHost()
        self.model = Model(self.host)
        self.is_lost = False

    @property
    def is_up(self):
        """Whether a coordinator runs."""
        return self.host.daemon is not None

    # -- the client ----------------------------------------------------------------------------------------------

    @rule(
        request_id=st.sampled_from(IDS),
        component=st.sampled_from(COMPONENTS),
        action=st.sampled_from([Action.UPDATE, Action.UPDATE, Action.ROLLBACK, Action.HEALTH]),
        version=st.sampled_from(["1.0.0", "v2.0.0"]),
        drawn=st.fixed_dictionaries(dict.fromkeys(MAIN_SCRIPT.values(), behaviors)),
    )
    def submit(self, request_id, component, action, version, drawn):
        """Submit a request. A second body under a known id changes nothing; the behaviors first drawn are kept."""
        for script, what in drawn.items():
            self.host.world.behaviors.setdefault((request_id, script), what)
        self._submit_file(request_id, request(request_id, component, action, version), (component, action, version))

    @precondition(lambda self: self.model.bodies)
    @rule(data=st.data())
    def submit_again(self, data):
        """Submit the same body again."""
        request_id = data.draw(st.sampled_from(sorted(self.model.bodies)))
        component, action, version = self.model.bodies[request_id][0]
        self._submit_file(request_id, request(request_id, component, action, version), (component, action, version))

    @rule(stem=st.sampled_from([*IDS, "x", "y"]), kind=st.sampled_from(sorted(MALFORMED)))
    def submit_malformed(self, stem, kind):
        """Submit a malformed file, also under the id of an open request."""
        self._submit_file(stem, MALFORMED[kind](stem))

    def _submit_file(self, stem, content, body=None):
        self.host.spool.place(f"{stem}.json", content)
        self.model.request_submitted(stem, body)

    @rule(name=st.sampled_from(UNSAFE_NAMES))
    def unsafe_name(self, name):
        """Create a file whose name cannot be answered."""
        self.host.spool.place(name, request("a", "core", "update", "1.0.0"))

    @rule(name=st.sampled_from(IDS))
    def take_answer(self, name):
        """The client reads its answer and deletes it."""
        status = self.host.spool.final(name)
        if status.exists():
            self.model.check_statuses()
            status.unlink()
            self.model.answer_taken(name)

    # -- the host ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_up)
    @rule(kill=kills, cut=cuts, stop_in=st.one_of(st.none(), st.none(), st.integers(0, 2)), runs=st.integers(0, 3))
    def tick(self, kill, cut, stop_in, runs):
        """Run one pass; a crash, a power cut or an immediate stop may come between any two effects."""
        self.model.requests_restored(self.host.run_until_killed(lambda: self.host.work(runs, stop_in), kill, cut))

    @precondition(lambda self: self.is_up)
    @rule()
    def stop(self):
        """Stop the coordinator between two scripts."""
        self.host.run_until_killed(self.host.daemon.stop)

    @precondition(lambda self: self.is_up)
    @rule(kept=st.integers(0, 3))
    def cut_power(self, kept):
        """Cut the power while the coordinator is idle; unsynced commits and files may be lost."""
        self.model.requests_restored(self.host.down(kept))

    @precondition(lambda self: not self.is_up)
    @rule(
        same_boot=st.booleans(),
        meanwhile=st.lists(st.booleans(), min_size=3, max_size=3),
        days=st.sampled_from([0, 0, 0, 400]),
        kill=kills,
        cut=cuts,
    )
    def boot(self, same_boot, meanwhile, days, kill, cut):
        """Start the coordinator, on the same boot or the next; scripts may have ended meanwhile."""
        self.host.clock.advance_while_down(days * DAY_S)
        for run, ends in zip(self.host.world.alive(), meanwhile, strict=False):
            if ends:
                run.end()
        if not same_boot:
            self.host.world.reboot()
        self._up(kill, cut)

    def _up(self, kill=None, cut=None):
        if self.is_lost:
            self.model.journal_lost()
        self.model.requests_restored(self.host.up(kill, cut))
        self.is_lost = self.is_lost and not self.is_up

    @precondition(lambda self: not self.is_up)
    @rule()
    def lose_journal(self):
        """Delete the journal."""
        self.is_lost |= self.host.lose_journal()

    @precondition(lambda self: not self.is_up and self.host.journal_file.exists())
    @rule(start=st.sampled_from([0, 100, 4096]))
    def damage_journal(self, start):
        """Damage part of the journal, so that it does not open or fails its integrity check."""
        journal = self.host.journal_file
        size = journal.stat().st_size
        if size > start:
            for companion in (Path(f"{journal}-wal"), Path(f"{journal}-shm")):
                companion.unlink(missing_ok=True)
            with journal.open("r+b") as file:
                file.seek(start)
                file.write(b"\xa5" * (size - start))
            (self.host.state / SUSPECT).touch()  # as a failed run leaves it
            self.is_lost = True

    @precondition(lambda self: self.is_up)
    @rule(days=st.sampled_from([1, 8, 400]), kill=kills, cut=cuts)
    def advance_days(self, days, kill, cut):
        """Let time pass without running requests; the final housekeeping may be interrupted too."""
        self.model.requests_restored(self.host.run_until_killed(lambda: self.host.advance_days(days), kill, cut))

    @rule(full=st.booleans())
    def fill_disk(self, full):
        """Make writes of statuses fail, or succeed again."""
        self.host.outbox.is_full = full

    @rule(days=st.sampled_from([1, -1]) | st.integers(-30, 30).map(lambda years: 365 * years) | st.just(TO_1970))
    def set_wall_clock(self, days):
        """Set the wall clock, as a missing battery or a late NTP correction does."""
        self.host.clock.jump(days)

    @rule(component=st.sampled_from(COMPONENTS), unsafe=st.booleans())
    def change_mode(self, component, unsafe):
        """Make scripts writable by others, or revert that."""
        (self.host.world.unsafe.add if unsafe else self.host.world.unsafe.discard)(component)

    @rule()
    def drain(self):
        """I9, I1: one start without disruption answers every request."""
        self._drain()

    def _drain(self):
        self.host.outbox.is_full = False
        if not self.is_up:
            self._up()
            self.model.check()
        self.host.run_until_killed(self.host.work)
        self.host.clock.sleep(2.5)  # limits.settle_s: a truncated request is rejected after it
        self.host.run_until_killed(self.host.work)
        self.model.check_drained()

    @invariant()
    def all_properties_hold(self):
        """See ``Model.check``."""
        self.model.check()

    def teardown(self):
        if not hasattr(self, "host"):
            return
        try:
            if sys.exc_info()[0] is None:  # otherwise the first failure is reported
                self._drain()
        finally:
            self.host.close()


TestCoordinator = Coordinator.TestCase
# A step takes a millisecond, so six times the profile's examples still take seconds.
TestCoordinator.settings = settings(
    max_examples=6 * settings.default.max_examples, stateful_step_count=40, deadline=None
)
