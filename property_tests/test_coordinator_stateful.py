"""I1-I5, I7, I9, I10, I13: the whole coordinator, killed anywhere, against a small model of what is true."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coordinator.state_folder import SUSPECT
from property_tests.answer_check import MAIN
from property_tests.malformed_requests import GARBAGE
from property_tests.model import Model
from property_tests.simulated_host import COMPONENTS, DAY_S, LittleHost, request
from property_tests.world import Deed
from protocol.types import Action

TO_1970 = -100 * 365  # days; as far back as clocks go
IDS = ("a", "b", "c", "d", "e")
UNSAFE_NAMES = ("-x.json", ".json", "a b.json", "a.progress.json", "x" * 200 + ".json", "a\n.json", "\udcff.json")

kills = st.one_of(st.none(), st.integers(0, 12), st.integers(0, 45))
cuts = st.one_of(st.none(), st.none(), st.integers(0, 3))
deeds = st.lists(st.sampled_from([Deed.OK, Deed.OK, *Deed]), min_size=1, max_size=3).map(tuple)


class Coordinator(RuleBasedStateMachine):
    """Drives one host through its troubles."""

    @initialize()
    def install(self):
        self.host = LittleHost()
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
        drawn=st.fixed_dictionaries(dict.fromkeys(MAIN.values(), deeds)),
    )
    def submit(self, request_id, component, action, version, drawn):
        """A request; under a known id a second wish, which changes nothing. Scripts stay as first drawn."""
        for script, what in drawn.items():
            self.host.world.deeds.setdefault((request_id, script), what)
        self._ask(request_id, request(request_id, component, action, version), (component, action, version))

    @precondition(lambda self: self.model.wishes)
    @rule(data=st.data())
    def submit_again(self, data):
        """The very same wish once more."""
        request_id = data.draw(st.sampled_from(sorted(self.model.wishes)))
        component, action, version = self.model.wishes[request_id][0]
        self._ask(request_id, request(request_id, component, action, version), (component, action, version))

    @rule(stem=st.sampled_from([*IDS, "x", "y"]), kind=st.sampled_from(sorted(GARBAGE)))
    def garbage(self, stem, kind):
        """Something that is no request, also under ids that are under way."""
        self._ask(stem, GARBAGE[kind](stem))

    def _ask(self, stem, content, wish=None):
        self.host.spool.place(f"{stem}.json", content)
        self.model.asked(stem, wish)

    @rule(name=st.sampled_from(UNSAFE_NAMES))
    def unsafe_name(self, name):
        """A name that cannot be answered."""
        self.host.spool.place(name, request("a", "core", "update", "1.0.0"))

    @rule(name=st.sampled_from(IDS))
    def take_answer(self, name):
        """The client reads its answer and deletes it."""
        status = self.host.spool.final(name)
        if status.exists():
            self.model.look()
            status.unlink()
            self.model.answer_taken(name)

    # -- the host ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_up)
    @rule(kill=kills, cut=cuts, stop_in=st.one_of(st.none(), st.none(), st.integers(0, 2)), runs=st.integers(0, 3))
    def tick(self, kill, cut, stop_in, runs):
        """One pass; death, with or without the power, or an impatient stop may come between any two effects."""
        self.model.came_back(self.host.live(lambda: self.host.work(runs, stop_in), kill, cut))

    @precondition(lambda self: self.is_up)
    @rule()
    def stop(self):
        """The coordinator ends between two scripts."""
        self.host.daemon._runtime.running_time.record()
        self.host.down()

    @precondition(lambda self: self.is_up)
    @rule(kept=st.integers(0, 3))
    def cut_power(self, kept):
        """Power fails while nothing happens; commits without fsync may be lost, and so may unsynced files."""
        self.model.came_back(self.host.down(kept))

    @precondition(lambda self: not self.is_up)
    @rule(
        same_boot=st.booleans(),
        meanwhile=st.lists(st.booleans(), min_size=3, max_size=3),
        days=st.sampled_from([0, 0, 0, 400]),
        kill=kills,
        cut=cuts,
    )
    def boot(self, same_boot, meanwhile, days, kill, cut):
        """The coordinator comes up, on the same boot or the next; scripts may have ended while it was away."""
        self.host.clock.pass_unseen(days * DAY_S)
        for run, ends in zip(self.host.world.alive(), meanwhile, strict=False):
            if ends:
                run.end()
        if not same_boot:
            self.host.world.reboot()
        self._up(kill, cut)

    def _up(self, kill=None, cut=None):
        if self.is_lost:
            self.model.journal_lost()
        self.model.came_back(self.host.up(kill, cut))
        self.is_lost = self.is_lost and not self.is_up

    @precondition(lambda self: not self.is_up)
    @rule()
    def lose_journal(self):
        """Somebody deletes it."""
        self.is_lost |= self.host.lose_journal()

    @precondition(lambda self: not self.is_up and self.host.journal_file.exists())
    @rule(start=st.sampled_from([0, 100, 4096]))
    def damage_journal(self, start):
        """The disk loses it, in part; what it is now no longer opens, or fails its check after a bad run."""
        journal = self.host.journal_file
        size = journal.stat().st_size
        if size > start:
            for beside in (Path(f"{journal}-wal"), Path(f"{journal}-shm")):
                beside.unlink(missing_ok=True)
            with journal.open("r+b") as file:
                file.seek(start)
                file.write(b"\xa5" * (size - start))
            (self.host.state / SUSPECT).touch()  # as the bad run leaves it
            self.is_lost = True

    @precondition(lambda self: self.is_up)
    @rule(days=st.sampled_from([1, 8, 400]), kill=kills, cut=cuts)
    def let_days_pass(self, days, kill, cut):
        """Nothing is run for long; whoever still waits waits on. The tidying at the end may be cut short, too."""
        self.model.came_back(self.host.live(lambda: self.host.let_days_pass(days), kill, cut))

    @rule(full=st.booleans())
    def fill_disk(self, full):
        """No status can be written, or they can again."""
        self.host.outbox.is_full = full

    @rule(days=st.sampled_from([1, -1]) | st.integers(-30, 30).map(lambda years: 365 * years) | st.just(TO_1970))
    def turn_clock(self, days):
        """No battery, or NTP at last."""
        self.host.clock.jump(days)

    @rule(component=st.sampled_from(COMPONENTS), unsafe=st.booleans())
    def change_mode(self, component, unsafe):
        """Scripts become writable by others, or are mended."""
        (self.host.world.unsafe.add if unsafe else self.host.world.unsafe.discard)(component)

    @rule()
    def drain(self):
        """I9, I1: one start, left alone, answers everything there is."""
        self._drain()

    def _drain(self):
        self.host.outbox.is_full = False
        if not self.is_up:
            self._up()
            self.model.check()
        self.host.live(self.host.work)
        self.host.clock.sleep(2.5)  # limits.settle_s: half a request is judged after it
        self.host.live(self.host.work)
        self.model.check_drained()

    @invariant()
    def everything_is_as_it_must_be(self):
        """See ``Model.check``."""
        self.model.check()

    def teardown(self):
        if not hasattr(self, "host"):
            return
        try:
            if sys.exc_info()[0] is None:  # else the first failure is the one to tell
                self._drain()
        finally:
            self.host.close()


TestCoordinator = Coordinator.TestCase
# A millisecond a step: six times the examples of the profile still take seconds.
TestCoordinator.settings = settings(
    max_examples=6 * settings.default.max_examples, stateful_step_count=40, deadline=None
)
