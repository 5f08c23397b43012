"""What is known of every component."""

import pytest
from hand_clock import START, HandClock

from remote.health.health_registry import Board, How, Standing


def test_nothing_is_known_at_first():
    """A component of which nothing was heard is neither running nor not running."""
    assert Board(["core"], None, HandClock()).of("core") == Standing(running=None, at=None, how=None)


def test_what_was_learned_is_told_with_its_time():
    """The standing says what was learned last, when and how."""
    clock = HandClock()
    board = Board(["core", "scheduler"], "remote", clock)
    board.learn("core", True, How.UPDATE)
    clock.sleep(60)
    board.learn("core", False, How.HEALTH_CHECK)
    assert board.of("core").running is False
    assert (board.of("core").at - START).total_seconds() == 60
    assert board.of("core").how is How.HEALTH_CHECK
    assert board.of("scheduler").running is None


@pytest.mark.parametrize("before", [True, False, None])
@pytest.mark.parametrize("after", [True, False, None])
def test_a_change_is_told(before, after):
    """``learn`` tells whether ``running`` is another than before, however it was learned."""
    board = Board(["core"], None, HandClock())
    board.learn("core", before, How.HEARTBEAT)
    assert board.learn("core", after, How.HEALTH_CHECK) is (before is not after)


def test_it_runs_itself():
    """The component that this program is runs, whatever is said of it."""
    board = Board(["core", "remote"], "remote", HandClock())
    assert board.of("remote") == Standing(running=True, at=START, how=How.ITSELF)
    assert board.learn("remote", False, How.HEARTBEAT) is False
    assert board.of("remote") == Standing(running=True, at=START, how=How.ITSELF)
