"""How long silence is borne."""

import math

from remote.health.liveness import Lifetimes


def watched(*components, interval_s=30, alive_s=45):
    """Lifetimes as the document has them, begun at 0 with a question."""
    lifetimes = Lifetimes(components, interval_s, alive_s)
    lifetimes.begin(0)
    lifetimes.asked(0)
    return lifetimes


def test_nobody_is_silent_before_the_time_is_over():
    """After the first question a component has its whole time to live, and then it is over."""
    lifetimes = watched("core")
    assert (lifetimes.next_end(), lifetimes.take_ended(44.9)) == (45, [])
    assert lifetimes.take_ended(45) == ["core"]


def test_silence_is_told_once():
    """Who was told to be silent is not told again, however many questions follow."""
    lifetimes = watched("core")
    assert lifetimes.take_ended(45) == ["core"]
    lifetimes.asked(60)
    assert (lifetimes.next_end(), lifetimes.take_ended(1000)) == (math.inf, [])


def test_a_message_gives_a_life():
    """The time to live counts from the last message, also of one that was told to be silent."""
    lifetimes = watched("core")
    lifetimes.take_ended(45)
    lifetimes.heard("core", 50)
    lifetimes.asked(60)
    lifetimes.heard("core", 61)
    lifetimes.asked(90)
    assert (lifetimes.take_ended(105.9), lifetimes.take_ended(106)) == ([], ["core"])


def test_each_has_a_life_of_its_own():
    """One component's message says nothing of another."""
    lifetimes = watched("core", "scheduler")
    lifetimes.heard("core", 20)
    lifetimes.asked(30)
    assert lifetimes.take_ended(64) == ["scheduler"]
    assert lifetimes.take_ended(65) == ["core"]


def test_nobody_pays_for_a_late_question():
    """Who was asked late has the time to answer that a punctual question leaves."""
    lifetimes = watched("core")
    lifetimes.heard("core", 1)
    assert lifetimes.take_ended(100) == []
    lifetimes.asked(100)
    assert (lifetimes.take_ended(114.9), lifetimes.take_ended(115)) == ([], ["core"])


def test_further_questions_give_no_more_time():
    """The time to answer counts from the first question that was not answered."""
    lifetimes = watched("core", alive_s=100)
    lifetimes.heard("core", 1)
    for moment in (30, 60, 90):
        lifetimes.asked(moment)
    assert lifetimes.next_end() == 101


def test_a_life_shorter_than_the_questions_are_apart_ends_by_itself():
    """With a time to live below the interval, only the last message counts."""
    lifetimes = watched("core", alive_s=10)
    lifetimes.heard("core", 5)
    assert (lifetimes.take_ended(14.9), lifetimes.take_ended(15)) == ([], ["core"])


def test_a_new_beginning_is_one_for_all():
    """After a beginning everyone has a whole life, the silent and the forgotten, too."""
    lifetimes = watched("core", "scheduler")
    lifetimes.heard("core", 40)
    lifetimes.take_ended(60)
    lifetimes.begin(100)
    lifetimes.asked(100)
    assert lifetimes.next_end() == 145
    assert lifetimes.take_ended(145) == ["core", "scheduler"]
